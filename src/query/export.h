// Sessions and spans for programs: our own JSON, described in docs/cli.md and stable, and OTLP/JSON. Pure. Every answer
// is valid JSON in which nothing can steer a terminal (text.h, display_json).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "query/model.h"
#include "query/skips.h"

namespace mcptrace::query {

// {"sessions":[…],"more":false,"lost":{…}} and a newline.
std::string sessions_json(const std::vector<Session>& sessions, bool more, const Skips::Numbers& lost);
// {"session":{…},"spans":[…]} and a newline; session is null where only a caller's trace is known.
std::string trace_json(const TraceView& view);
// One TracesData object a trace, each on a line of its own.
std::string trace_otlp(const TraceView& view, std::string_view version);
// {"span":{…}} and {"session":{…}}, each with a newline, for --follow.
std::string span_json(const TraceSpan& span);
std::string session_json(const Session& session);

}  // namespace mcptrace::query
