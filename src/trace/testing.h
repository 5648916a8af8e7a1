// For tests and benchmarks: a span as who reads it sees it.
#pragma once

#include <vector>

#include "trace/span_record.h"

namespace mcptrace::trace {

// The common ones and its own, in order.
inline std::vector<Attribute> all_attributes(const SpanRecord& span) {
  std::vector<Attribute> all;
  if (span.common != nullptr) all = span.common->attributes;
  all.insert(all.end(), span.attributes.begin(), span.attributes.end());
  return all;
}

}  // namespace mcptrace::trace
