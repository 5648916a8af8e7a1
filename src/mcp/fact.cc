// The record:
//
//   Fixed                                          everything of fixed size
//   HttpFact                                       if has_http
//   DeclaredTool declared[declared_count]
//   byte[size] …                                   each of the strings, by number; Fixed has their sizes
#include "mcp/fact.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <type_traits>

#include "base/check.h"
#include "base/short_bytes.h"

namespace mcptrace::mcp {
namespace {

constexpr std::size_t kTraceState = kTextCount;
constexpr std::size_t kClient = kTextCount + 1;

struct Fixed {
  std::uint32_t declared_count;
  std::array<std::uint16_t, kFactTexts> sizes;
  FactKind kind;
  bool has_http;
  Findings findings;
  Instant at;
  CallContext context;
  MessageFields message;
};
static_assert(std::is_trivially_copyable_v<Fixed> && sizeof(Fixed) % sizeof(std::uint64_t) == 0);
static_assert(std::is_trivially_copyable_v<HttpFact> && sizeof(HttpFact) % sizeof(std::uint64_t) == 0);

constexpr std::size_t kMostClientBytes = 64;

const Fixed& fixed_of(std::span<const char> record) {
  MCPTRACE_CHECK(record.size() >= sizeof(Fixed));
  return *std::launder(reinterpret_cast<const Fixed*>(record.data()));
}

}  // namespace

// What only the relay reads stays there: what names a conversation, and of a client's message the tracestate, since
// `trace_state` says what became of it.
Packing::Packing(const FactHead& fact, const Message& message) : fact_(fact), message_(message) {
  for (std::size_t i = 0; i < kTextCount; ++i) sizes_[i] = static_cast<std::uint16_t>(message.text[i].size());
  const auto leave_out = [this](Text text) { sizes_[static_cast<std::size_t>(text)] = 0; };
  leave_out(Text::kBaggage);
  leave_out(Text::kConversation);
  if (message.direction == Direction::kClientToServer) leave_out(Text::kTracestate);
  sizes_[kTraceState] = static_cast<std::uint16_t>(fact.trace_state.size());
  sizes_[kClient] = static_cast<std::uint16_t>(std::min(fact.client.size(), kMostClientBytes));
  size_ = sizeof(Fixed) + (fact.http != nullptr ? sizeof(HttpFact) : 0) + fact.declared.size_bytes();
  for (const std::uint16_t size : sizes_) size_ += size;
}

void Packing::write(char* out) const {
  new (out) Fixed{.declared_count = static_cast<std::uint32_t>(fact_.declared.size()),
                  .sizes = sizes_,
                  .kind = fact_.kind,
                  .has_http = fact_.http != nullptr,
                  .findings = fact_.findings,
                  .at = fact_.at,
                  .context = fact_.context,
                  .message = message_};
  char* at = out + sizeof(Fixed);
  if (fact_.http != nullptr) {
    std::memcpy(at, fact_.http, sizeof(HttpFact));
    at += sizeof(HttpFact);
  }
  if (!fact_.declared.empty()) std::memcpy(at, fact_.declared.data(), fact_.declared.size_bytes());
  at += fact_.declared.size_bytes();
  const auto put = [&at](std::string_view text, std::size_t size) __attribute__((always_inline)) {
    if (size != 0) at = copy_bytes(at, text.data(), size);
  };
  for (std::size_t i = 0; i < kTextCount; ++i) put(message_.text[i], sizes_[i]);
  put(fact_.trace_state, sizes_[kTraceState]);
  put(fact_.client, sizes_[kClient]);
}

Fact unpack(std::span<const char> record) {
  const Fixed& fixed = fixed_of(record);
  Fact fact;
  fact.kind = fixed.kind;
  fact.findings = fixed.findings;
  fact.at = fixed.at;
  fact.context = fixed.context;
  static_cast<MessageFields&>(fact.message) = fixed.message;
  const char* at = record.data() + sizeof(Fixed);
  if (fixed.has_http) {
    fact.http = reinterpret_cast<const HttpFact*>(at);
    at += sizeof(HttpFact);
  }
  fact.declared = {reinterpret_cast<const DeclaredTool*>(at), fixed.declared_count};
  at += fact.declared.size_bytes();
  const auto take = [&at](std::size_t size) {
    const std::string_view text(at, size);
    at += size;
    return text;
  };
  for (std::size_t i = 0; i < kTextCount; ++i) fact.message.text[i] = take(fixed.sizes[i]);
  fact.trace_state = take(fixed.sizes[kTraceState]);
  fact.client = take(fixed.sizes[kClient]);
  MCPTRACE_CHECK(at <= record.data() + record.size());
  return fact;
}

std::vector<std::uint64_t> packed(const Fact& fact) {
  const Packing packing(fact);
  std::vector<std::uint64_t> record((packing.size() + 7) / 8);
  packing.write(reinterpret_cast<char*>(record.data()));
  return record;
}

Fact unpack(const std::vector<std::uint64_t>& record) {
  return unpack({reinterpret_cast<const char*>(record.data()), record.size() * sizeof(std::uint64_t)});
}

Nanos time_of(std::span<const char> record) { return fixed_of(record).at.boot; }

}  // namespace mcptrace::mcp
