// The members of a JSON-RPC message that say something to a trace, at each place where they may stand: one table, of
// what they are called and what is taken of them.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "base/short_bytes.h"
#include "json/scanner.h"
#include "mcp/capture.h"
#include "mcp/message.h"

namespace mcptrace::mcp {

// The container whose members come now.
enum class Place : std::uint8_t {
  kLine,
  kBatch,
  kTools,
  kOpaque,      // entered for its end only
  kDefinition,  // in a tool's object
  kTool,        // such an object, of which every member counts
  // Objects whose members are looked at; of the first, each is followed to its end.
  kParamsMeta,
  kRoot,
  kParams,
  kResult,
  kResultMeta,
  kError,
  kBodyPeer,  // clientInfo or serverInfo
  kMetaPeer,  // of _meta
  kTask,
};

enum class Take : std::uint8_t {
  kNothing,
  kText,     // a string, into a Slot
  kId,       // into an IdSlot
  kObject,   // entered, as a Place
  kNotNull,  // sets a flag, unless it is null
  // What is one member's alone.
  kParams,
  kParamsMeta,
  kContext,  // as kText: traceparent or tracestate
  kResult,
  kIsError,
  kResultType,
  kTools,
  kError,
  kCode,
  kErrorMessage,
};

struct Field {
  Place place = Place::kLine;
  std::string_view key{};
  Take take = Take::kNothing;
  std::uint8_t into = 0;  // Slot, IdSlot, Place, or number of a bit of MessageFlag
  // One of its own, where a field that comes twice makes the message ambiguous: else none.
  std::uint64_t bit = 0;

  constexpr Field() = default;
  constexpr Field(Place at, std::string_view name, Take what) : place(at), key(name), take(what) {}
  constexpr Field(Place at, std::string_view name, Slot slot, Take what = Take::kText)
      : place(at), key(name), take(what), into(static_cast<std::uint8_t>(slot)) {}
  constexpr Field(Place at, std::string_view name, IdSlot slot)
      : place(at), key(name), take(Take::kId), into(static_cast<std::uint8_t>(slot)) {}
  constexpr Field(Place at, std::string_view name, Place object)
      : place(at), key(name), take(Take::kObject), into(static_cast<std::uint8_t>(object)) {}
  constexpr Field(Place at, std::string_view name, MessageFlag flag)
      : place(at),
        key(name),
        take(Take::kNotNull),
        into(static_cast<std::uint8_t>(std::countr_zero(std::uint32_t{flag}))) {}
};

inline constexpr std::string_view kMetaPrefix = "io.modelcontextprotocol/";

constexpr Field kRows[] = {
    {Place::kRoot, "jsonrpc", Slot::kJsonrpc},
    {Place::kRoot, "method", Slot::kMethod},
    {Place::kRoot, "id", IdSlot::kMessage},
    {Place::kRoot, "params", Take::kParams},
    {Place::kRoot, "result", Take::kResult},
    {Place::kRoot, "error", Take::kError},
    {Place::kParams, "name", Slot::kName},
    {Place::kParams, "uri", Slot::kUri},
    {Place::kParams, "protocolVersion", Slot::kVersion},
    {Place::kParams, "clientInfo", Place::kBodyPeer},
    {Place::kParams, "requestId", IdSlot::kRequestId},
    {Place::kParams, "progressToken", IdSlot::kProgressToken},
    {Place::kParams, "cursor", MessageFlag::kCursor},
    {Place::kParams, "task", Take::kNothing},
    {Place::kParams, "taskId", Slot::kTask},
    {Place::kParams, "requestState", Slot::kRequestState},
    {Place::kParams, "_meta", Take::kParamsMeta},
    {Place::kParamsMeta, "io.modelcontextprotocol/protocolVersion", Slot::kMetaVersion},
    {Place::kParamsMeta, "io.modelcontextprotocol/clientInfo", Place::kMetaPeer},
    {Place::kParamsMeta, "io.modelcontextprotocol/clientCapabilities", Take::kNothing},
    {Place::kParamsMeta, "io.modelcontextprotocol/subscriptionId", IdSlot::kSubscription},
    {Place::kParamsMeta, "progressToken", IdSlot::kMetaProgressToken},
    {Place::kParamsMeta, "traceparent", Slot::kTraceparent, Take::kContext},
    {Place::kParamsMeta, "tracestate", Slot::kTracestate, Take::kContext},
    {Place::kParamsMeta, "baggage", Slot::kBaggage},
    {Place::kResult, "protocolVersion", Slot::kVersion},
    {Place::kResult, "serverInfo", Place::kBodyPeer},
    {Place::kResult, "isError", Take::kIsError},
    {Place::kResult, "resultType", Take::kResultType},
    {Place::kResult, "nextCursor", MessageFlag::kNextCursor},
    {Place::kResult, "tools", Take::kTools},
    {Place::kResult, "task", Place::kTask},
    {Place::kResult, "taskId", Slot::kTask},
    {Place::kResult, "requestState", Slot::kRequestState},
    {Place::kResult, "_meta", Place::kResultMeta},
    {Place::kResultMeta, "io.modelcontextprotocol/protocolVersion", Slot::kMetaVersion},
    {Place::kResultMeta, "io.modelcontextprotocol/serverInfo", Place::kMetaPeer},
    {Place::kResultMeta, "io.modelcontextprotocol/subscriptionId", IdSlot::kSubscription},
    {Place::kError, "code", Take::kCode},
    {Place::kError, "message", Take::kErrorMessage},
    {Place::kBodyPeer, "name", Slot::kPeerName},
    {Place::kBodyPeer, "version", Slot::kPeerVersion},
    {Place::kMetaPeer, "name", Slot::kMetaPeerName},
    {Place::kMetaPeer, "version", Slot::kMetaPeerVersion},
    {Place::kTask, "taskId", Slot::kTask},
};

namespace internal {

inline constexpr std::size_t kLongestVariant = 8;  // "params" and "result" with two bytes for the s, and one over

// Place, length and the last two bytes tell all fields apart; the factor was searched so that no two share a slot.
// `key` has two bytes at least.
constexpr std::size_t slot_of(Place place, std::string_view key) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(key[i])); };
  const std::size_t size = key.size();
  const std::uint32_t mixed = byte(size - 2) | byte(size - 1) << 8 | static_cast<std::uint32_t>(size) << 16 |
                              static_cast<std::uint32_t>(place) << 24;
  return (mixed * 0x5d866b35u) >> 25;
}

struct FieldTable {
  std::array<Field, std::size(kRows) + 1> fields{};  // the first is none
  std::array<std::uint8_t, 128> numbers{};           // by slot
  bool perfect = true;
};
inline constexpr FieldTable kFieldTable = [] {
  FieldTable table;
  for (std::size_t i = 1; i < table.fields.size(); ++i) {
    Field& field = table.fields[i] = kRows[i - 1];
    if (field.place <= Place::kError) field.bit = std::uint64_t{1} << i;
    std::uint8_t& number = table.numbers[slot_of(field.place, field.key)];
    table.perfect = table.perfect && number == 0;
    number = static_cast<std::uint8_t>(i);
  }
  return table;
}();
static_assert(kFieldTable.perfect, "two fields share a slot: search another factor for slot_of()");
static_assert(std::size(kRows) < 64, "they are bits of a word");

// That of a field, which there is.
consteval std::uint64_t bit_of(Place place, std::string_view key) {
  for (const Field& field : kFieldTable.fields) {
    if (field.place == place && field.key == key) return field.bit;
  }
  throw;
}

// Null: none.
[[gnu::always_inline]] inline const Field* exact_field(Place place, std::string_view key) {
  if (key.size() < 2) return nullptr;
  const Field& field = kFieldTable.fields[kFieldTable.numbers[slot_of(place, key)]];
  const bool same =
      field.place == place && field.key.size() == key.size() && equal_bytes(field.key.data(), key.data(), key.size());
  return same ? &field : nullptr;
}

// By its size and first byte, may `key` be one that matters at `place` but for its case?
inline bool may_be_variant(Place place, std::string_view key) {
  if ((place != Place::kRoot && place != Place::kParams) || key.size() < 2 || key.size() > kLongestVariant)
    return false;
  switch (key.front() | 0x20) {
    case 'i':
    case 'm':
    case 'p':
    case 'e':
    case 'r':
      return place == Place::kRoot;
    case 'n':
    case '_' | 0x20:
      return place == Place::kParams;
    default:
      return false;
  }
}

}  // namespace internal

struct FoundField {
  const Field* field = nullptr;  // null: none
  // Another reader may see another key here: it is written with escapes, or differs only in case from one that matters
  // (some readers do not tell case, nor U+017F from s).
  bool ambiguous = false;
};

// What is rare: keys with escapes, and keys that differ in case only.
[[gnu::cold, gnu::noinline]] FoundField find_odd_field(Place place, const json::Key& key);

// Inline, as it is asked for every key that passes.
[[gnu::always_inline]] inline FoundField find_field(Place place, const json::Key& key) {
  if (!key.escaped && !key.cut) [[likely]] {
    const Field* const field = internal::exact_field(place, key.text);
    if (field != nullptr || !internal::may_be_variant(place, key.text)) return {field, false};
  }
  return find_odd_field(place, key);
}

}  // namespace mcptrace::mcp
