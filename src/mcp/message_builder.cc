// The second half of MessageHandler, run once an object: what it said becomes a Message.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "json/text.h"
#include "mcp/message_handler.h"
#include "mcp/request_id.h"

namespace mcptrace::mcp {
namespace {

constexpr std::string_view kFirstModernVersion = "2026-07-28";
// A batch of numbers is no traffic that anybody has: its elements are reported up to here.
constexpr std::uint64_t kMostOddElements = 1000;

constexpr auto kNameBytes = [] {
  std::array<bool, 256> allowed{};
  for (const char c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./")) {
    allowed[static_cast<unsigned char>(c)] = true;
  }
  return allowed;
}();

ResultType result_type_from(std::string_view text) {
  if (text == "complete") return ResultType::kComplete;
  if (text == "input_required") return ResultType::kInputRequired;
  return text == "task" ? ResultType::kTask : ResultType::kOther;
}

}  // namespace

bool is_plain_name(std::string_view text) {
  return !text.empty() && text.size() <= text_limit(Text::kName) &&
         std::ranges::all_of(text, [](char c) { return kNameBytes[static_cast<unsigned char>(c)]; });
}

bool is_plain_peer(std::string_view text) {
  constexpr std::size_t kMost = 64;
  return text.size() <= kMost && std::ranges::all_of(text, [](char c) { return c >= 0x20 && c <= 0x7e; });
}

// Even, and the other odd.
std::uint64_t plain_name_hash(std::string_view name) {
  constexpr std::uint64_t kSeed = 0x3c6ef372fe94f82b;
  const std::uint64_t hash = mix64(name, kSeed) & ~std::uint64_t{1};
  return hash == 0 ? 2 : hash;
}

std::uint64_t odd_name_hash(std::uint64_t print) { return print | 1; }

namespace {

std::size_t digits_at(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of("0123456789", at), text.size()) - at;
}

// A number, true, false or null (RFC 8259 3, 6).
bool is_literal(std::string_view text) {
  if (text == "true" || text == "false" || text == "null") return true;
  std::size_t at = text.starts_with('-') ? 1 : 0;
  const std::size_t whole = digits_at(text, at);
  if (whole == 0 || (whole > 1 && text[at] == '0')) return false;
  at += whole;
  if (at < text.size() && text[at] == '.') {
    const std::size_t fraction = digits_at(text, ++at);
    if (fraction == 0) return false;
    at += fraction;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    if (++at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const std::size_t exponent = digits_at(text, at);
    if (exponent == 0) return false;
    at += exponent;
  }
  return at == text.size();
}

}  // namespace

void MessageHandler::end_line(json::Shape shape, std::uint64_t line_bytes) {
  const bool no_value = root_ == Root::kNoValue || bad_element_ ||
                        (root_ == Root::kScalar && !root_is_string_ && !texts_.cut(Slot::kMethod) &&
                         !is_literal(texts_.text(Slot::kMethod)));
  if (shape == json::Shape::kBroken || (shape == json::Shape::kComplete && no_value)) {
    start_message(line_bytes, 0).kind = MessageKind::kNotJson;
  } else if (shape == json::Shape::kComplete) {
    if (root_ == Root::kObject) {
      build(line_bytes, 0);
      has_map_ = true;
    } else if (root_ == Root::kArray) {
      start_message(0, kInBatch | (bad_utf8_ ? kInvalidUtf8 : 0u)).kind = MessageKind::kNotMessage;
      const bool says = elements_ == 0 || (bad_utf8_ && odd_elements_ == 0);
      messages_ = says ? 1 : std::min(odd_elements_, kMostOddElements);
    } else {
      start_message(line_bytes, 0).kind = MessageKind::kNotMessage;
    }
  }
  clear_line();
}

const Found* MessageHandler::take() {
  if (!has_found()) return nullptr;
  found_ = {};
  if (declared_count_ != 0) {
    found_.declared = {declared_.data(), std::exchange(declared_count_, 0)};
  } else {
    --messages_;
    found_.message = &message_;
    found_.map = has_map_ ? &map_ : nullptr;
  }
  return &found_;
}

Message& MessageHandler::start_message(std::uint64_t bytes, std::uint32_t flags) {
  message_ = {};
  message_.direction = direction_;
  message_.flags = flags | mark_;
  message_.bytes = bytes;
  messages_ = 1;
  has_map_ = false;
  return message_;
}

void MessageHandler::build(std::uint64_t bytes, std::uint32_t flags) {
  Message& message = start_message(bytes, flags_ | flags);
  if (bad_utf8_ && (flags & kInBatch) == 0) message.flags |= kInvalidUtf8;
  if (const std::string_view version = texts_.text(Slot::kJsonrpc);
      version.size() == 3 && std::memcmp(version.data(), "2.0", 3) == 0 && !texts_.cut(Slot::kJsonrpc)) {
    message.flags |= kJsonrpc2;
  }
  fill_id(message);
  message.kind = kind_of(message.id.type);
  fill_method(message);
  fill_related(message);
  fill_name(message);
  fill_peer(message);
  fill_envelope(message);
  fill_result(message);
  fill_context(message);
}

MessageKind MessageHandler::kind_of(IdType id) const {
  if (texts_.has(Slot::kMethod)) {
    const bool tells = id == IdType::kNull && texts_.text(Slot::kMethod).starts_with("notifications/");
    return id == IdType::kAbsent || tells ? MessageKind::kNotification : MessageKind::kRequest;
  }
  if (has_error_) return MessageKind::kError;
  return has_result_ ? MessageKind::kResult : MessageKind::kNotMessage;
}

void MessageHandler::fill_method(Message& message) const {
  if (!texts_.has(Slot::kMethod)) return;
  const std::string_view method = texts_.text(Slot::kMethod);
  message.method = texts_.cut(Slot::kMethod) ? Method::kUnknown : method_from(method);
  if (message.method == Method::kUnknown) {
    message[Text::kMethod] = method;
    message.method_print = texts_.print(Slot::kMethod);
    if (texts_.cut(Slot::kMethod)) message.flags |= kMethodCut;
  }
  const bool handshake = message.method == Method::kInitialize && texts_.has(Slot::kVersion);
  if (handshake || names_mcp(message.method, message[Text::kMethod])) message.flags |= kNamesMcp;
  switch (message.method) {
    case Method::kServerDiscover:
    case Method::kSubscriptionsListen:
    case Method::kNotificationsSubscriptionsAcknowledged:
      message.flags |= kModern;
      break;
    default:
      break;
  }
}

void MessageHandler::fill_id(Message& message) const {
  message.id = ids_.id(IdSlot::kMessage);
  if (!message.id.usable()) return;
  message[Text::kId] = ids_.text();
  message.id_print = ids_.print();
  if (ids_.text_cut()) message.flags |= kIdCut;
}

void MessageHandler::fill_related(Message& message) const {
  const RequestId token = ids_.id(IdSlot::kMetaProgressToken);
  if (message.kind == MessageKind::kRequest) {
    message.related = token;
    if (token.usable()) message.flags |= kHasProgressToken;
  } else if (message.method == Method::kNotificationsCancelled) {
    message.related = ids_.id(IdSlot::kRequestId);
  } else if (message.method == Method::kNotificationsProgress) {
    message.related = ids_.id(IdSlot::kProgressToken);
    if (message.related.usable()) message.flags |= kHasProgressToken;
  } else {
    message.related = ids_.id(IdSlot::kSubscription);
  }
}

// Other methods have a name among their parameters, too, but nobody specified what it says.
void MessageHandler::fill_name(Message& message) const {
  if (message.method == Method::kResourcesRead) message.uri = texts_.print(Slot::kUri);
  if (message.method != Method::kToolsCall && message.method != Method::kPromptsGet) return;
  if (!texts_.has(Slot::kName)) return;
  const std::string_view name = texts_.text(Slot::kName);
  const bool cut = texts_.cut(Slot::kName);
  message[Text::kName] = name;
  if (cut) message.flags |= kNameCut;
  if (cut || !is_plain_name(name)) {
    message.name_print = texts_.print(Slot::kName);
    message.name_hash = odd_name_hash(message.name_print);
  } else {
    message.name_hash = plain_name_hash(name);
  }
}

void MessageHandler::fill_peer(Message& message) const {
  if (!texts_.has_any({Slot::kVersion, Slot::kPeerName, Slot::kPeerVersion, Slot::kMetaVersion, Slot::kMetaPeerName,
                       Slot::kMetaPeerVersion})) {
    return;
  }
  // In params, only initialize has these.
  const bool body = message.method == Method::kInitialize || message.method == Method::kNone;
  const auto choose = [&](Slot of_body, Slot of_meta) { return body && texts_.has(of_body) ? of_body : of_meta; };

  message[Text::kProtocolVersion] = texts_.text(choose(Slot::kVersion, Slot::kMetaVersion));
  const Slot name = choose(Slot::kPeerName, Slot::kMetaPeerName);
  const Slot version = choose(Slot::kPeerVersion, Slot::kMetaPeerVersion);
  message[Text::kPeerName] = texts_.text(name);
  message[Text::kPeerVersion] = texts_.text(version);
  if (!is_plain_peer(message[Text::kPeerName])) message.peer_name_print = texts_.print(name);
  if (!is_plain_peer(message[Text::kPeerVersion])) message.peer_version_print = texts_.print(version);
}

// Only a request of 2026-07-28 says in its _meta who its client is, and what that can do.
void MessageHandler::fill_envelope(Message& message) const {
  constexpr std::uint64_t kInfo = internal::bit_of(Place::kParamsMeta, "io.modelcontextprotocol/clientInfo");
  constexpr std::uint64_t kAbilities =
      internal::bit_of(Place::kParamsMeta, "io.modelcontextprotocol/clientCapabilities");
  const bool has_version = texts_.has(Slot::kMetaVersion);
  const bool modern =
      has_version ? texts_.text(Slot::kMetaVersion) >= kFirstModernVersion : (seen_ & (kInfo | kAbilities)) != 0;
  if (modern) message.flags |= kModern;
  if (has_version && (seen_ & kAbilities) != 0) message.flags |= kHasEnvelope;
}

void MessageHandler::fill_result(Message& message) const {
  message.request_state = texts_.print(Slot::kRequestState);
  message.task = texts_.print(Slot::kTask);
  if (result_type_ != ResultType::kAbsent) {
    message.flags |= kModern;
    message.result_type = texts_.has(Slot::kResultType) && !texts_.cut(Slot::kResultType)
                              ? result_type_from(texts_.text(Slot::kResultType))
                              : ResultType::kOther;
  }
  if (message.kind != MessageKind::kError) return;
  message.error_print = texts_.print(Slot::kErrorMessage);
  if (!texts_.has(Slot::kCode) || texts_.cut(Slot::kCode)) return;
  auto code = json::parse_integer(texts_.text(Slot::kCode));
  if (!code) code = integer_value(texts_.text(Slot::kCode));  // -32000.0 is how some write -32000
  if (code) {
    message.error_code = *code;
    message.flags |= kHasErrorCode;
  }
}

void MessageHandler::fill_context(Message& message) const {
  if (!texts_.has_any({Slot::kTraceparent, Slot::kTracestate, Slot::kBaggage, Slot::kConversation})) return;
  message[Text::kTraceparent] = texts_.text(Slot::kTraceparent);
  if (texts_.cut(Slot::kTraceparent)) message.flags |= kTraceparentCut;
  if (!texts_.cut(Slot::kTracestate)) message[Text::kTracestate] = texts_.text(Slot::kTracestate);
  if (!texts_.cut(Slot::kBaggage)) message[Text::kBaggage] = texts_.text(Slot::kBaggage);
  message[Text::kConversation] = texts_.text(Slot::kConversation);
}

}  // namespace mcptrace::mcp
