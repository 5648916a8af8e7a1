#include "ship/batch.h"

#include <algorithm>

#include "otlp/decode.h"
#include "otlp/export.h"
#include "otlp/json.h"

namespace mcptrace::ship {

void Batch::add(const ledger::SpanKey& told, std::string_view resource, std::string_view span) {
  // Nearly always the one of the span before.
  auto known = std::find(resources_.rbegin(), resources_.rend(), resource);
  if (known == resources_.rend()) {
    resources_.emplace_back(resource);
    known = resources_.rbegin();
  }
  const auto place = static_cast<std::uint32_t>(resources_.rend() - known - 1);
  spans_.push_back({told, place, static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(span.size())});
  bytes_ += span;
}

void Batch::copy(std::size_t from, std::size_t to, Batch& into) const {
  for (std::size_t i = from; i < to; ++i) {
    const Span& span = spans_[i];
    into.add(span.told, resources_[span.resource], std::string_view(bytes_).substr(span.at, span.size));
  }
  into.number = number + from;
  into.trial = trial;
}

std::pair<Batch, Batch> Batch::halves() const {
  std::pair<Batch, Batch> halves;
  copy(0, spans_.size() / 2, halves.first);
  copy(spans_.size() / 2, spans_.size(), halves.second);
  return halves;
}

void Batch::append_protobuf(std::string& out) const {
  const std::vector<std::string_view> resources(resources_.begin(), resources_.end());
  std::vector<otlp::SpanBytes> spans;
  spans.reserve(spans_.size());
  for (const Span& span : spans_) {
    spans.push_back({span.resource, std::string_view(bytes_).substr(span.at, span.size)});
  }
  otlp::append_trace_request(resources, spans, MCPTRACE_VERSION, out);
}

Result<> Batch::append_json(std::string& out) const {
  std::string protobuf;
  append_protobuf(protobuf);
  MCPTRACE_TRY(const otlp::TracesData traces, otlp::decode_traces(protobuf));
  otlp::append_json(traces, out);
  return {};
}

}  // namespace mcptrace::ship
