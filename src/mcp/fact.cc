// The record:
//
//   Fixed                                          everything of fixed size
//   HttpFact                                       if has_http
//   u64 declared[declared_count]
//   byte[size] …                                   each of the strings, by number; Fixed has their sizes
#include "mcp/fact.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <type_traits>

#include "base/check.h"

namespace mcptrace::mcp {
namespace {

// Strings by number: those of Text, and these.
constexpr std::size_t kTraceState = kTextCount;
constexpr std::size_t kClient = kTextCount + 1;
using Sizes = std::array<std::uint16_t, kTextCount + 2>;

struct Fixed {
  std::uint32_t declared_count;
  Sizes sizes;
  FactKind kind;
  Direction direction;
  MessageKind message_kind;
  Method method;
  ResultType result_type;
  bool has_http;
  std::uint32_t flags;
  Findings findings;
  std::uint32_t unused;
  Instant at;
  CallContext context;
  RequestId id;
  RequestId related;
  std::uint64_t bytes;
  std::int64_t error_code;
  std::uint64_t error_print;
  std::uint64_t name_hash;
  std::uint64_t name_print;
  std::uint64_t method_print;
  std::uint64_t id_print;
  std::uint64_t peer_name_print;
  std::uint64_t peer_version_print;
  std::uint64_t request_state;
  std::uint64_t task;
};
static_assert(std::is_trivially_copyable_v<Fixed> && sizeof(Fixed) % sizeof(std::uint64_t) == 0);
static_assert(std::is_trivially_copyable_v<HttpFact> && sizeof(HttpFact) % sizeof(std::uint64_t) == 0);

constexpr std::size_t kMostClientBytes = 64;

// The sizes of all strings as they are packed. What only the relay reads stays there: what names a conversation, and of
// a client's message the tracestate, since `trace_state` says what became of it.
Sizes sizes_of(const Fact& fact) {
  Sizes sizes;
  for (std::size_t i = 0; i < kTextCount; ++i) sizes[i] = static_cast<std::uint16_t>(fact.message.text[i].size());
  const auto leave_out = [&sizes](Text text) { sizes[static_cast<std::size_t>(text)] = 0; };
  leave_out(Text::kBaggage);
  leave_out(Text::kConversation);
  if (fact.message.direction == Direction::kClientToServer) leave_out(Text::kTracestate);
  sizes[kTraceState] = static_cast<std::uint16_t>(fact.trace_state.size());
  sizes[kClient] = static_cast<std::uint16_t>(std::min(fact.client.size(), kMostClientBytes));
  return sizes;
}

std::size_t sum(const Sizes& sizes) {
  std::size_t total = 0;
  for (const std::uint16_t size : sizes) total += size;
  return total;
}

Fixed fixed_of(const Fact& fact) {
  const Message& message = fact.message;
  return {.declared_count = static_cast<std::uint32_t>(fact.declared.size()),
          .sizes = sizes_of(fact),
          .kind = fact.kind,
          .direction = message.direction,
          .message_kind = message.kind,
          .method = message.method,
          .result_type = message.result_type,
          .has_http = fact.http != nullptr,
          .flags = message.flags,
          .findings = fact.findings,
          .unused = 0,
          .at = fact.at,
          .context = fact.context,
          .id = message.id,
          .related = message.related,
          .bytes = message.bytes,
          .error_code = message.error_code,
          .error_print = message.error_print,
          .name_hash = message.name_hash,
          .name_print = message.name_print,
          .method_print = message.method_print,
          .id_print = message.id_print,
          .peer_name_print = message.peer_name_print,
          .peer_version_print = message.peer_version_print,
          .request_state = message.request_state,
          .task = message.task};
}

Fact fact_of(const Fixed& fixed) {
  return {.kind = fixed.kind,
          .at = fixed.at,
          .context = fixed.context,
          .message = {.direction = fixed.direction,
                      .kind = fixed.message_kind,
                      .method = fixed.method,
                      .result_type = fixed.result_type,
                      .flags = fixed.flags,
                      .id = fixed.id,
                      .related = fixed.related,
                      .bytes = fixed.bytes,
                      .error_code = fixed.error_code,
                      .error_print = fixed.error_print,
                      .name_hash = fixed.name_hash,
                      .name_print = fixed.name_print,
                      .method_print = fixed.method_print,
                      .id_print = fixed.id_print,
                      .peer_name_print = fixed.peer_name_print,
                      .peer_version_print = fixed.peer_version_print,
                      .request_state = fixed.request_state,
                      .task = fixed.task,
                      .text = {}},
          .trace_state = {},
          .declared = {},
          .findings = fixed.findings};
}

}  // namespace

std::size_t packed_size(const Fact& fact) {
  return sizeof(Fixed) + (fact.http != nullptr ? sizeof(HttpFact) : 0) + fact.declared.size_bytes() +
         sum(sizes_of(fact));
}

void pack(const Fact& fact, char* out) {
  const Fixed& fixed = *new (out) Fixed(fixed_of(fact));  // made in its place
  char* at = out + sizeof(Fixed);
  if (fact.http != nullptr) {
    std::memcpy(at, fact.http, sizeof(HttpFact));
    at += sizeof(HttpFact);
  }
  if (!fact.declared.empty()) std::memcpy(at, fact.declared.data(), fact.declared.size_bytes());
  at += fact.declared.size_bytes();
  const auto put = [&at](const char* text, std::size_t size) {
    if (size == 0) return;
    std::memcpy(at, text, size);
    at += size;
  };
  for (std::size_t i = 0; i < kTextCount; ++i) put(fact.message.text[i].data(), fixed.sizes[i]);
  put(fact.trace_state.data(), fixed.sizes[kTraceState]);
  put(fact.client.data(), fixed.sizes[kClient]);
}

Fact unpack(std::span<const char> record) {
  MCPTRACE_CHECK(record.size() >= sizeof(Fixed));
  const Fixed& fixed = *std::launder(reinterpret_cast<const Fixed*>(record.data()));
  const std::size_t http = fixed.has_http ? sizeof(HttpFact) : 0;
  const std::size_t declared = fixed.declared_count * sizeof(std::uint64_t);
  MCPTRACE_CHECK(sizeof(Fixed) + http + declared + sum(fixed.sizes) <= record.size());
  Fact fact = fact_of(fixed);
  const char* at = record.data() + sizeof(Fixed);
  if (fixed.has_http) fact.http = reinterpret_cast<const HttpFact*>(at);
  at += http;
  fact.declared = {reinterpret_cast<const std::uint64_t*>(at), fixed.declared_count};
  at += declared;
  const auto take = [&at](std::size_t size) {
    const std::string_view text(at, size);
    at += size;
    return text;
  };
  for (std::size_t i = 0; i < kTextCount; ++i) fact.message.text[i] = take(fixed.sizes[i]);
  fact.trace_state = take(fixed.sizes[kTraceState]);
  fact.client = take(fixed.sizes[kClient]);
  return fact;
}

}  // namespace mcptrace::mcp
