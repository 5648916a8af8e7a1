// The keys of a JSON-RPC message that say something to a trace, at each place where they may stand.
#pragma once

#include <cstdint>
#include <string_view>

#include "json/scanner.h"

namespace mcptrace::mcp {

// An object of the message whose members are looked at.
enum class Place : std::uint8_t { kRoot, kParams, kParamsMeta, kResult, kResultMeta, kError, kPeer, kTask, kTool };

enum class Field : std::uint8_t {
  kNone,
  kJsonrpc,
  kMethod,
  kId,
  kParams,
  kResult,
  kError,
  kMeta,
  kName,
  kVersion,  // protocolVersion; of _meta with its prefix, like the next and kSubscription
  kPeer,     // clientInfo, or serverInfo
  kPeerName,
  kPeerVersion,
  kRequestId,
  kProgressToken,
  kSubscription,
  kCursor,  // cursor, or nextCursor
  kTask,
  kTaskId,
  kRequestState,
  kTraceparent,
  kTracestate,
  kBaggage,
  kIsError,
  kResultType,
  kTools,
  kCode,
  kErrorMessage,
  kToolName,
  kCount
};

struct FoundField {
  Field field = Field::kNone;
  // Another reader may see another key here: it is written with escapes, or differs only in case from one that matters
  // (some readers do not tell case, nor U+017F from s).
  bool ambiguous = false;
};

namespace internal {

inline constexpr std::string_view kPrefix = "io.modelcontextprotocol/";

// The size decides first, so that each comparison is of a few words and most keys meet none.
inline Field root_field(std::string_view key) {
  switch (key.size()) {
    case 2:
      return key == "id" ? Field::kId : Field::kNone;
    case 5:
      return key == "error" ? Field::kError : Field::kNone;
    case 6:
      if (key == "method") return Field::kMethod;
      if (key == "params") return Field::kParams;
      return key == "result" ? Field::kResult : Field::kNone;
    case 7:
      return key == "jsonrpc" ? Field::kJsonrpc : Field::kNone;
    default:
      return Field::kNone;
  }
}

inline Field params_field(std::string_view key) {
  switch (key.size()) {
    case 4:
      if (key == "name") return Field::kName;
      return key == "task" ? Field::kTask : Field::kNone;
    case 5:
      return key == "_meta" ? Field::kMeta : Field::kNone;
    case 6:
      if (key == "cursor") return Field::kCursor;
      return key == "taskId" ? Field::kTaskId : Field::kNone;
    case 9:
      return key == "requestId" ? Field::kRequestId : Field::kNone;
    case 10:
      return key == "clientInfo" ? Field::kPeer : Field::kNone;
    case 12:
      return key == "requestState" ? Field::kRequestState : Field::kNone;
    case 13:
      return key == "progressToken" ? Field::kProgressToken : Field::kNone;
    case 15:
      return key == "protocolVersion" ? Field::kVersion : Field::kNone;
    default:
      return Field::kNone;
  }
}

inline Field result_field(std::string_view key) {
  switch (key.size()) {
    case 4:
      return key == "task" ? Field::kTask : Field::kNone;
    case 5:
      if (key == "_meta") return Field::kMeta;
      return key == "tools" ? Field::kTools : Field::kNone;
    case 6:
      return key == "taskId" ? Field::kTaskId : Field::kNone;
    case 7:
      return key == "isError" ? Field::kIsError : Field::kNone;
    case 10:
      if (key == "resultType") return Field::kResultType;
      if (key == "nextCursor") return Field::kCursor;
      return key == "serverInfo" ? Field::kPeer : Field::kNone;
    case 12:
      return key == "requestState" ? Field::kRequestState : Field::kNone;
    case 15:
      return key == "protocolVersion" ? Field::kVersion : Field::kNone;
    default:
      return Field::kNone;
  }
}

// A key of _meta that has the protocol's prefix, without it; `peer` = clientInfo or serverInfo.
inline Field envelope_field(std::string_view key, std::string_view peer) {
  if (key == "protocolVersion") return Field::kVersion;
  if (key == "subscriptionId") return Field::kSubscription;
  return key == peer ? Field::kPeer : Field::kNone;
}

inline Field params_meta_field(std::string_view key) {
  if (key.starts_with(kPrefix)) return envelope_field(key.substr(kPrefix.size()), "clientInfo");
  switch (key.size()) {
    case 7:
      return key == "baggage" ? Field::kBaggage : Field::kNone;
    case 10:
      return key == "tracestate" ? Field::kTracestate : Field::kNone;
    case 11:
      return key == "traceparent" ? Field::kTraceparent : Field::kNone;
    case 13:
      return key == "progressToken" ? Field::kProgressToken : Field::kNone;
    default:
      return Field::kNone;
  }
}

[[gnu::always_inline]] inline Field exact_field(Place place, std::string_view key) {
  switch (place) {
    case Place::kRoot:
      return root_field(key);
    case Place::kParams:
      return params_field(key);
    case Place::kParamsMeta:
      return params_meta_field(key);
    case Place::kResult:
      return result_field(key);
    case Place::kResultMeta:
      return key.starts_with(kPrefix) ? envelope_field(key.substr(kPrefix.size()), "serverInfo") : Field::kNone;
    case Place::kError:
      if (key == "code") return Field::kCode;
      return key == "message" ? Field::kErrorMessage : Field::kNone;
    case Place::kPeer:
      if (key == "name") return Field::kPeerName;
      return key == "version" ? Field::kPeerVersion : Field::kNone;
    case Place::kTask:
      return key == "taskId" ? Field::kTaskId : Field::kNone;
    case Place::kTool:
      return key == "name" ? Field::kToolName : Field::kNone;
  }
  return Field::kNone;
}

inline constexpr std::size_t kLongestVariant = 8;  // "params" and "result" with two bytes for the s, and one over

// By its size and first byte, may `key` be one that matters at `place` but for its case?
inline bool may_be_variant(Place place, std::string_view key) {
  if (place > Place::kParams || key.size() < 2 || key.size() > kLongestVariant) return false;
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

// What is rare: keys with escapes, and keys that differ in case only.
FoundField find_odd_field(Place place, const json::Key& key);

// Inline, as it is asked for every key that passes, with a place that the caller knows.
[[gnu::always_inline]] inline FoundField find_field(Place place, const json::Key& key) {
  if (!key.escaped && !key.cut) [[likely]] {
    const Field field = internal::exact_field(place, key.text);
    if (field != Field::kNone || !internal::may_be_variant(place, key.text)) return {field, false};
  }
  return find_odd_field(place, key);
}

}  // namespace mcptrace::mcp
