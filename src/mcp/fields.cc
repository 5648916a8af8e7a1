#include "mcp/fields.h"

#include <array>

#include "json/text.h"

namespace mcptrace::mcp {
namespace {

constexpr std::string_view kPrefix = "io.modelcontextprotocol/";

// The size decides first, so that each comparison is of a few words and most keys meet none.
Field root_field(std::string_view key) {
  switch (key.size()) {
    case 2:
      return key == "id" ? Field::kId : Field::kNone;
    case 5:
      return key == "error" ? Field::kError : Field::kNone;
    case 6:
      if (key == "method") return Field::kMethod;
      if (key == "params") return Field::kParams;
      return key == "result" ? Field::kResult : Field::kNone;
    default:
      return Field::kNone;
  }
}

Field params_field(std::string_view key) {
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

Field result_field(std::string_view key) {
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
Field envelope_field(std::string_view key, std::string_view peer) {
  if (key == "protocolVersion") return Field::kVersion;
  if (key == "subscriptionId") return Field::kSubscription;
  return key == peer ? Field::kPeer : Field::kNone;
}

Field params_meta_field(std::string_view key) {
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

Field exact_field(Place place, std::string_view key) {
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

constexpr std::size_t kLongestVariant = 8;  // "params" and "result" with two bytes for the s, and one over

// By its size and first byte, may `key` be one that matters at `place` but for its case?
bool may_be_variant(Place place, std::string_view key) {
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

// Is it one? At the root all matter, in params _meta and name.
bool has_variant(Place place, std::string_view key) {
  if (!may_be_variant(place, key)) return false;
  std::array<char, kLongestVariant> folded;
  std::size_t size = 0;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const char c = key[i];
    if (c == '\xc5' && i + 1 < key.size() && key[i + 1] == '\xbf') {
      folded[size++] = 's', ++i;
    } else {
      folded[size++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    }
  }
  const Field field = exact_field(place, {folded.data(), size});
  return place == Place::kRoot ? field != Field::kNone : field == Field::kMeta || field == Field::kName;
}

// What is rare: keys with escapes, and keys that differ in case only.
[[gnu::noinline]] FoundField find_odd_field(Place place, const json::Key& key) {
  if (!key.escaped) return {Field::kNone, !key.cut && has_variant(place, key.text)};
  const bool matters = place == Place::kRoot || place == Place::kParams || place == Place::kParamsMeta;
  if (key.cut) return {Field::kNone, matters};
  std::array<char, json::kMaxKey> decoded;
  const std::string_view real(decoded.data(), json::decode_string(key.text, decoded.data(), decoded.size()));
  const Field field = exact_field(place, real);
  return {field, matters && (field != Field::kNone || has_variant(place, real))};
}

}  // namespace

FoundField find_field(Place place, const json::Key& key) {
  if (!key.escaped && !key.cut) {
    const Field field = exact_field(place, key.text);
    if (field != Field::kNone || !may_be_variant(place, key.text)) return {field, false};
  }
  return find_odd_field(place, key);
}

}  // namespace mcptrace::mcp
