// What the attributes of a session's root (and of initialize, where there is no root yet) say of the session. Pure.
#pragma once

#include <string>
#include <string_view>

#include "query/model.h"
#include "trace/conventions.h"

namespace mcptrace::query {

// The last value under the key, as text: "" if it is absent or no string.
std::string text_attribute(const std::vector<otlp::KeyValue>& attributes, std::string_view key);
std::string text_attribute(const otlp::Span& span, trace::Attr key);
std::optional<std::int64_t> integer_attribute(const otlp::Span& span, trace::Attr key);

// Client, server, era and the like: what the span has replaces what was known.
void describe_session(const otlp::Span& span, Session& session);
Counts root_counts(const otlp::Span& root);
// Where a root's link leads. Of a root: to that of the stretch before; of one that was withdrawn: to that of the
// session which it proved to be.
bool is_previous(const otlp::Link& link);
bool is_session(const otlp::Link& link);

}  // namespace mcptrace::query
