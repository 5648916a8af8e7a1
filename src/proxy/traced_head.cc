#include "proxy/traced_head.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "http/authority.h"
#include "http/forwarded.h"

namespace mcptrace::proxy {
namespace {

constexpr std::size_t kMostValue = 16 << 10;  // longer values count as absent
constexpr std::size_t kMostIdle = 1 << 10;    // room that stays between exchanges

struct Conversation {
  std::string_view name, value;
};

// The first configured header that is there, by the order of the configuration.
Conversation conversation_of(const http::RequestHead& head, const TracingOptions& options) {
  for (const std::string& name : options.conversation_headers) {
    for (const http::Field& field : head.fields) {
      if (field.value.empty() || field.value.size() > kMostValue || !same_text(field.name, name)) continue;
      return {name, field.value};
    }
  }
  return {};
}

}  // namespace

bool is_modern_version(std::string_view version) {
  return (version.starts_with("20") && version >= "2026-07-28") || version.starts_with("DRAFT-2026");
}

mcp::HttpMethod method_of(std::string_view method) {
  if (method == "POST") return mcp::HttpMethod::kPost;
  if (method == "GET") return mcp::HttpMethod::kGet;
  if (method == "DELETE") return mcp::HttpMethod::kDelete;
  if (method == "HEAD") return mcp::HttpMethod::kHead;
  if (method == "PUT") return mcp::HttpMethod::kPut;
  if (method == "OPTIONS") return mcp::HttpMethod::kOptions;
  if (method == "PATCH") return mcp::HttpMethod::kPatch;
  return mcp::HttpMethod::kOther;
}

mcp::HttpError error_of(std::string_view type) {
  if (type == "refused") return mcp::HttpError::kRefused;
  if (type == "dns") return mcp::HttpError::kDns;
  if (type == "tls") return mcp::HttpError::kTls;
  if (type == "timeout") return mcp::HttpError::kTimeout;
  if (type == "reset") return mcp::HttpError::kReset;
  if (type == "closed") return mcp::HttpError::kClosed;
  if (type == "truncated") return mcp::HttpError::kTruncated;
  if (type == "bad_head") return mcp::HttpError::kBadHead;
  if (type == "bad_framing") return mcp::HttpError::kBadFraming;
  if (type == "proxy") return mcp::HttpError::kProxy;
  return type.empty() ? mcp::HttpError::kNone : mcp::HttpError::kOther;
}

mcp::AuthScheme scheme_of(std::string_view challenge) {
  const std::string_view scheme = challenge.substr(0, challenge.find_first_of(" \t,"));
  if (same_text(scheme, "bearer")) return mcp::AuthScheme::kBearer;
  if (same_text(scheme, "basic")) return mcp::AuthScheme::kBasic;
  if (same_text(scheme, "digest")) return mcp::AuthScheme::kDigest;
  if (same_text(scheme, "dpop")) return mcp::AuthScheme::kDpop;
  if (same_text(scheme, "negotiate")) return mcp::AuthScheme::kNegotiate;
  return mcp::AuthScheme::kOther;
}

bool is_signed(const http::Head& head) {
  // Of AWS (Signature Version 4), and of webhooks.
  if (head.value(http::FieldName::kAuthorization).starts_with("AWS4-")) return true;
  return std::ranges::any_of(head.fields, [](const http::Field& field) {
    if (field.id == http::FieldName::kOther) {
      return same_text(field.name, "x-amz-content-sha256") || same_text(field.name, "x-hub-signature") ||
             same_text(field.name, "x-hub-signature-256");
    }
    return field.id == http::FieldName::kContentDigest || field.id == http::FieldName::kContentMd5 ||
           field.id == http::FieldName::kDigest || field.id == http::FieldName::kReprDigest ||
           field.id == http::FieldName::kSignature || field.id == http::FieldName::kSignatureInput;
  });
}

std::string_view KeptHead::keep(std::string_view value) {
  if (value.size() > kMostValue) return {};
  bytes_.append(value);
  return std::string_view(bytes_).substr(bytes_.size() - value.size());
}

void KeptHead::read(const http::RequestHead& head, std::string_view target, std::string_view client,
                    const TracingOptions& options) {
  const bool known =
      !options.trusted_proxies.empty() && options.trusted_proxies.contains(http::canonical_address(client));
  const bool trusted = options.trust_proxy || known;
  const std::string forwarded = trusted ? http::forwarded_client(head, options.trusted_proxies) : std::string{};
  // The values together, counted generously, so that the string does not move while views of it are taken.
  std::size_t total = target.size() + client.size() + forwarded.size() + 64;
  std::size_t parents = 0, versions = 0, methods = 0, names = 0;
  for (const http::Field& field : head.fields) {
    if (field.id != http::FieldName::kOther) total += field.value.size() + 1;
    parents += field.id == http::FieldName::kTraceparent;
    versions += field.id == http::FieldName::kMcpProtocolVersion;
    methods += field.id == http::FieldName::kMcpMethod;
    names += field.id == http::FieldName::kMcpName;
  }
  const auto conversation = conversation_of(head, options);
  total += conversation.name.size() + conversation.value.size() + 1;
  wipe();
  bytes_.reserve(total);
  text_.target = keep(target);
  text_.session_id = keep(head.value(http::FieldName::kMcpSessionId));
  text_.version = keep(head.value(http::FieldName::kMcpProtocolVersion));
  text_.modern = is_modern_version(text_.version);
  text_.mcp = methods + versions != 0 || head.find(http::FieldName::kMcpSessionId) != nullptr;
  if (methods != 0) text_.method = keep(head.value(http::FieldName::kMcpMethod));
  if (names != 0) text_.name = keep(head.value(http::FieldName::kMcpName));
  text_.repeats = std::max({versions, methods, names}) > 1;
  text_.last_event_id = keep(head.value(http::FieldName::kLastEventId));
  text_.user_agent = keep(head.value(http::FieldName::kUserAgent));
  text_.authorization = keep(head.value(http::FieldName::kAuthorization));
  text_.baggage = keep_list(head, http::FieldName::kBaggage);
  text_.forwarded = !forwarded.empty();
  text_.client = keep(text_.forwarded ? std::string_view(forwarded) : client);
  if (parents == 1) {
    text_.traceparent = keep(head.value(http::FieldName::kTraceparent));
    text_.tracestate = keep_list(head, http::FieldName::kTracestate);
  }
  if (conversation.value.empty()) return;
  const std::size_t begin = bytes_.size();
  bytes_.append(conversation.name).append("=").append(conversation.value);
  text_.conversation = std::string_view(bytes_).substr(begin);
}

// A list may come in several fields: they are one.
std::string_view KeptHead::keep_list(const http::RequestHead& head, http::FieldName name) {
  const std::size_t begin = bytes_.size();
  for (const http::Field& field : head.fields) {
    if (field.id != name) continue;
    if (bytes_.size() != begin) bytes_.append(",");
    bytes_.append(field.value);
  }
  return std::string_view(bytes_).substr(begin);
}

void KeptHead::keep_session_only() {
  const HeadText all = text_;
  const std::string bytes = std::move(bytes_);
  bytes_ = {};
  bytes_.reserve(all.target.size() + all.session_id.size() + all.version.size() + all.client.size());
  text_ = {};
  text_.target = keep(all.target);
  text_.session_id = keep(all.session_id);
  text_.version = keep(all.version);
  text_.client = keep(all.client);
  text_.forwarded = all.forwarded;
  text_.modern = all.modern;
  text_.mcp = all.mcp;
}

void KeptHead::wipe() {
  text_ = {};
  explicit_bzero(bytes_.data(), bytes_.size());  // a plain fill before the memory is freed may be left out
  bytes_.clear();
  if (bytes_.capacity() > kMostIdle) bytes_.shrink_to_fit();
}

}  // namespace mcptrace::proxy
