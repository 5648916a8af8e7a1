// W3C Trace Context level 2 and Baggage: parse, check, write.
// Sources: W3C Trace Context Level 2 (CR), Baggage; the vectors of w3c/trace-context.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/ids.h"

namespace mcptrace::trace {

inline constexpr std::uint8_t kSampledFlag = 0x01;
inline constexpr std::uint8_t kRandomFlag = 0x02;

struct TraceContext {
  TraceId trace_id;
  SpanId span_id;
  std::uint8_t flags = 0;  // sampled and random only; other bits are cleared
};

// A traceparent value. Surrounding spaces and tabs are passed over. Nothing if it is invalid in any way: then the
// tracestate that came with it must not be used either.
std::optional<TraceContext> parse_traceparent(std::string_view value);
inline constexpr std::size_t kTraceparentSize = 55;
// "00-<32 hex>-<16 hex>-<2 hex>", no terminator.
void write_traceparent(const TraceContext& context, char out[kTraceparentSize]);

// Level-2 valid: at most 32 members, every key and value of the grammar. Empty and blank values are valid.
bool is_valid_tracestate(std::string_view value);
// The value of `key` in a valid tracestate; nothing if absent.
std::optional<std::string_view> tracestate_get(std::string_view tracestate, std::string_view key);
// "ot=rv:<14 hex>": a request's own randomness in a trace that we start (56 bits).
std::string_view write_randomness(std::uint64_t randomness, std::array<char, 20>& buffer);

// R of consistent sampling: the `rv` of our field in a valid tracestate, else what the trace id has of it (56 bits).
std::uint64_t randomness_of(std::string_view tracestate, const TraceId& trace_id);

// The value of `key` in a baggage header: percent-decoded into `buffer` as far as it has room, between characters;
// invalid UTF-8 replaced. Nothing if absent or if the header is over 8192 bytes. Linear in its length; members beyond
// 64 are not looked at.
std::optional<std::string_view> baggage_get(std::string_view baggage, std::string_view key, std::span<char> buffer);

}  // namespace mcptrace::trace
