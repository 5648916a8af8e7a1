// What the attributes of a session's root (and of initialize, where there is no root yet) say of the session. Pure.
#pragma once

#include <string>
#include <string_view>

#include "ledger/model.h"
#include "otlp/decode.h"
#include "trace/conventions.h"

namespace mcptrace::ledger {

// The last value under the key, as text: "" if it is absent or no string.
std::string text_attribute(const std::vector<otlp::KeyValue>& attributes, std::string_view key);
std::string text_attribute(const otlp::Span& span, trace::Attr key);
std::optional<std::int64_t> integer_attribute(const otlp::Span& span, trace::Attr key);

// Client, server, era and the like: what the span has replaces what was known.
void describe_session(const otlp::Span& span, Session& session);
Counts root_counts(const otlp::Span& root);
// Does a root's link lead to that of the stretch before?
bool is_previous(const otlp::Link& link);

}  // namespace mcptrace::ledger
