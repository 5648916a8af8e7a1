// The record:
//
//   Fixed                                          everything of fixed size
//   HttpFact                                       if has_http
//   u64 declared[declared_count]
//   { u8 which, u8 0, u16 size, byte[size] } …     one for each string that is not empty; which = Text, kCount for
//                                                  trace_state, or kCount + 1 for client
#include "mcp/fact.h"

#include <cstring>
#include <new>
#include <type_traits>

#include "base/check.h"

namespace mcptrace::mcp {
namespace {

struct Fixed {
  std::uint32_t declared_count;
  std::uint16_t text_count;
  FactKind kind;
  Direction direction;
  MessageKind message_kind;
  Method method;
  ResultType result_type;
  bool has_http;
  std::uint32_t flags;
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

struct TextHead {
  std::uint8_t which;
  std::uint8_t unused;
  std::uint16_t size;
};

constexpr std::size_t kMostBytes = 16 << 10;
// Values of `which` behind those of Text.
constexpr std::uint8_t kTraceState = kTextCount;
constexpr std::uint8_t kClient = kTextCount + 1;
constexpr std::size_t kMostClientBytes = 64;

// Strings of a fact add up to less than this only without the longest: baggage, which the relay has used by then.
bool drops_baggage(const Fact& fact) {
  return fact.message[Text::kBaggage].size() + fact.message[Text::kTracestate].size() + fact.trace_state.size() >
         kMostBytes - 4096;
}

template <class Use>
void for_each_text(const Fact& fact, Use use) {
  const bool skip_baggage = drops_baggage(fact);
  for (std::size_t i = 0; i < kTextCount; ++i) {
    if (fact.message.text[i].empty() || (skip_baggage && static_cast<Text>(i) == Text::kBaggage)) continue;
    use(static_cast<std::uint8_t>(i), fact.message.text[i]);
  }
  if (!fact.trace_state.empty()) use(kTraceState, fact.trace_state);
  if (!fact.client.empty()) use(kClient, fact.client.substr(0, kMostClientBytes));
}

Fixed fixed_of(const Fact& fact) {
  const Message& message = fact.message;
  return {.declared_count = static_cast<std::uint32_t>(fact.declared.size()),
          .text_count = 0,
          .kind = fact.kind,
          .direction = message.direction,
          .message_kind = message.kind,
          .method = message.method,
          .result_type = message.result_type,
          .has_http = fact.http != nullptr,
          .flags = message.flags,
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
          .declared = {}};
}

}  // namespace

std::size_t packed_size(const Fact& fact) {
  std::size_t size = sizeof(Fixed) + (fact.http != nullptr ? sizeof(HttpFact) : 0) + fact.declared.size_bytes();
  for_each_text(fact, [&](std::uint8_t, std::string_view text) { size += sizeof(TextHead) + text.size(); });
  return size;
}

void pack(const Fact& fact, char* out) {
  Fixed& fixed = *new (out) Fixed(fixed_of(fact));  // made in its place
  char* at = out + sizeof(Fixed);
  if (fact.http != nullptr) {
    std::memcpy(at, fact.http, sizeof(HttpFact));
    at += sizeof(HttpFact);
  }
  if (!fact.declared.empty()) std::memcpy(at, fact.declared.data(), fact.declared.size_bytes());
  at += fact.declared.size_bytes();
  for_each_text(fact, [&](std::uint8_t which, std::string_view text) {
    const TextHead head{which, 0, static_cast<std::uint16_t>(text.size())};
    std::memcpy(at, &head, sizeof(head));
    std::memcpy(at + sizeof(head), text.data(), text.size());
    at += sizeof(head) + text.size();
    ++fixed.text_count;
  });
}

Fact unpack(std::span<const char> record) {
  MCPTRACE_CHECK(record.size() >= sizeof(Fixed));
  Fixed fixed;
  std::memcpy(&fixed, record.data(), sizeof(fixed));
  Fact fact = fact_of(fixed);
  std::size_t at = sizeof(Fixed);
  if (fixed.has_http) {
    MCPTRACE_CHECK(at + sizeof(HttpFact) <= record.size());
    fact.http = reinterpret_cast<const HttpFact*>(record.data() + at);
    at += sizeof(HttpFact);
  }
  fact.declared = {reinterpret_cast<const std::uint64_t*>(record.data() + at), fixed.declared_count};
  at += fixed.declared_count * sizeof(std::uint64_t);
  MCPTRACE_CHECK(at <= record.size());
  for (std::size_t i = 0; i < fixed.text_count; ++i) {
    TextHead head;
    MCPTRACE_CHECK(at + sizeof(head) <= record.size());
    std::memcpy(&head, record.data() + at, sizeof(head));
    at += sizeof(head);
    MCPTRACE_CHECK(at + head.size <= record.size() && head.which <= kClient);
    const std::string_view text(record.data() + at, head.size);
    (head.which < kTextCount ? fact.message.text[head.which]
     : head.which == kTraceState ? fact.trace_state
                                 : fact.client) = text;
    at += head.size;
  }
  return fact;
}

}  // namespace mcptrace::mcp
