// What one JSON-RPC message said: the part of it that a trace may use, and nothing else.
//
// MessageScanner makes it from the bytes as they pass; arguments, results, URIs and error texts are passed over unread,
// or leave a keyed hash. A Message borrows its strings: they are valid until the scanner's next byte.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "mcp/methods.h"

namespace mcptrace::mcp {

enum class Direction : std::uint8_t { kClientToServer, kServerToClient };

enum class MessageKind : std::uint8_t {
  kRequest,       // method and id (which may be null, against the specification)
  kNotification,  // method, no id, or notifications/* with one of null
  kResult,        // id and result, no method
  kError,         // error (with or without result), no method; id may be null or absent
  kNotMessage,    // JSON, but none of these
  kNotJson,       // a line that is no JSON
};

// The JSON type of an id or token. 1 and "1" are different ids.
enum class IdType : std::uint8_t { kAbsent, kNull, kInteger, kNumber, kString, kOther };

struct RequestId {
  IdType type = IdType::kAbsent;
  std::uint64_t exact = 0;  // in-memory hash of type and raw text: the pairing key
  std::uint64_t loose = 0;  // the same for values that differ only in form: 7, "7", 7.0
  [[nodiscard]] bool usable() const { return type != IdType::kAbsent && type != IdType::kNull; }
  // An array, an object or a boolean is no id, and nobody can say which of them are the same: not equal even to itself.
  bool operator==(const RequestId& other) const {
    return type == other.type && exact == other.exact && type != IdType::kOther;
  }
};

enum class ResultType : std::uint8_t { kAbsent, kComplete, kInputRequired, kTask, kOther };

// The name form (docs/architecture.md, What may be written): 1 to 128 of A-Z a-z 0-9 _ - . /
bool is_plain_name(std::string_view text);
// At most 64 printable ASCII characters: what a peer's name or version nearly always is, and may be written.
bool is_plain_peer(std::string_view text);
// What names are compared by: a quick hash of a name of the plain form, else its keyed hash, so that nobody can make a
// name that passes for another. The two never meet. Never 0; the same in all processes of an installation.
std::uint64_t plain_name_hash(std::string_view name);
std::uint64_t odd_name_hash(std::uint64_t print);

// Strings of a message, decoded, each cut to its limit (text_limit()) between characters.
enum class Text : std::uint8_t {
  kMethod,           // only where `method` is kUnknown
  kId,               // the raw id for display: an integer's digits, or a string's content
  kName,             // params.name: of a tool or a prompt
  kProtocolVersion,  // params.protocolVersion, _meta["io.modelcontextprotocol/protocolVersion"], result.protocolVersion
  kPeerName,         // clientInfo.name or serverInfo.name, from params, result or _meta
  kPeerVersion,
  kTraceparent,  // params._meta.traceparent, raw
  kTracestate,   // this and the next: empty if it was longer than its limit, since half of it says something else
  kBaggage,
  kConversation,  // the first configured _meta key that names a conversation: "key=value"
  kCount
};
inline constexpr std::size_t kTextCount = static_cast<std::size_t>(Text::kCount);

enum MessageFlag : std::uint32_t {
  kAmbiguous = 1u << 0,  // duplicate or escaped keys where it matters: we may see another message than the peer does
  kInBatch = 1u << 1,    // an element of an array
  kIsError = 1u << 2,    // result.isError is true
  kHasErrorCode = 1u << 3,
  kNextCursor = 1u << 4,  // result.nextCursor is present and not null: there are more pages
  kCursor = 1u << 5,      // params.cursor is present and not null
  kHasMeta = 1u << 6,     // params._meta is an object
  kModern = 1u << 7,      // carries the 2026-07-28 envelope, or a method that only modern has
  kNameCut = 1u << 9,     // params.name was longer than its limit
  kMethodCut = 1u << 10,
  kIdCut = 1u << 11,  // the id is longer than its limit, or is not printable ASCII: then text kId is empty
  kHasProgressToken = 1u << 13,
  kTraceparentCut = 1u << 14,  // the traceparent was longer than its limit
  kJsonrpc2 = 1u << 15,        // "jsonrpc":"2.0"
  kNamesMcp = 1u << 16,        // of MCP and of nothing else: by its method or by its _meta (docs/spans.md)
  kErrorNamesMeta = 1u << 17,  // the text of the error holds "_meta"
  kCounted = 1u << 18,         // stdio: a body framed by Content-Length
  kHasParams = 1u << 19,       // there is a params
  kHasTraceparent = 1u << 20,  // params._meta has a traceparent, whatever it is
  kHasEnvelope = 1u << 21,     // params._meta has what 2026-07-28 asks of every request
  // Bytes of the message are no UTF-8. Of a batch, in which of its elements is not known: then a kNotMessage says so.
  kInvalidUtf8 = 1u << 22,
};

// A tool's definition hash (definition_hash.h); zero: not known.
struct Definition {
  std::uint64_t low = 0, high = 0;
  bool operator==(const Definition&) const = default;
};

// A tool of a tools/list result.
struct DeclaredTool {
  std::uint64_t name = 0;  // as Message::name_hash
  Definition definition{};
  bool operator==(const DeclaredTool&) const = default;
};

// What it said that is no text.
struct MessageFields {
  Direction direction = Direction::kClientToServer;
  MessageKind kind = MessageKind::kNotJson;
  Method method = Method::kNone;
  ResultType result_type = ResultType::kAbsent;
  std::uint32_t flags = 0;
  RequestId id;
  // cancelled: params.requestId; progress: params.progressToken; a request: its _meta.progressToken; notifications of a
  // subscription: _meta["io.modelcontextprotocol/subscriptionId"]
  RequestId related;
  std::uint64_t bytes = 0;        // of the line with its terminator; of a batch's element: without separators
  std::int64_t error_code = 0;    // with kHasErrorCode
  std::uint64_t error_print = 0;  // keyed hash of error.message; 0 = none
  std::uint64_t name_hash = 0;    // of params.name, whole, decoded: plain_name_hash() or odd_name_hash(); 0 = none
  // Keyed hash of a params.name that has not the plain form; 0 = it has, or there is none.
  std::uint64_t name_print = 0;
  std::uint64_t method_print = 0;     // keyed hash of an unknown method, whole, decoded
  std::uint64_t id_print = 0;         // keyed hash of an id other than an integer or at most 64 of A-Z a-z 0-9 _ -
  std::uint64_t peer_name_print = 0;  // keyed hash of a kPeerName that is not at most 64 printable ASCII characters
  std::uint64_t peer_version_print = 0;
  std::uint64_t request_state = 0;  // keyed hash of params.requestState or result.requestState; 0 = none
  std::uint64_t uri = 0;            // keyed hash of params.uri of a resources/read; 0 = none
  std::uint64_t task = 0;           // keyed hash of params.taskId or result.task.taskId; 0 = none

  [[nodiscard]] bool has(MessageFlag flag) const { return (flags & flag) != 0; }
  [[nodiscard]] bool is_answer() const { return kind == MessageKind::kResult || kind == MessageKind::kError; }
};

struct Message : MessageFields {
  std::array<std::string_view, kTextCount> text{};

  [[nodiscard]] std::string_view operator[](Text which) const { return text[static_cast<std::size_t>(which)]; }
  std::string_view& operator[](Text which) { return text[static_cast<std::size_t>(which)]; }
};

constexpr std::size_t text_limit(Text which) {
  switch (which) {
    case Text::kMethod:
      return 128;
    case Text::kId:
      return 64;
    case Text::kName:
      return 128;
    case Text::kProtocolVersion:
      return 33;           // for these three more than the gate lets through, so that it sees that there
    case Text::kPeerName:  // was more: 64 characters of up to four bytes, and one that is not cut
    case Text::kPeerVersion:
      return 65 * 4;
    case Text::kTraceparent:
      return 256;
    case Text::kTracestate:
      return 32 * (256 + 1 + 256) + 31;  // as much as level 2 lets a valid one be long
    case Text::kBaggage:
      return 8192;
    case Text::kConversation:
      return 512;
    case Text::kCount:
      break;
  }
  return 0;
}

}  // namespace mcptrace::mcp
