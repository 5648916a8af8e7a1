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

FoundField find_field(Place place, const json::Key& key);

}  // namespace mcptrace::mcp
