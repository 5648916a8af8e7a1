#include "http/field_table.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/text.h"

namespace mcptrace::http {
namespace {

constexpr std::uint64_t kSmall = 0x2020202020202020;

template <class Word>
Word load(const char* from) {
  Word word;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

// `known` is in lower case: letters, digits and `-`. Setting bit 5 makes one of these of nothing but itself and a
// letter's capital, CR aside, which no line holds. In words that overlap, for the length is a constant.
template <class Word, std::size_t N>
[[gnu::always_inline]] inline bool is_in_words(const char* name, const char (&known)[N]) {
  constexpr std::size_t kSize = N - 1, kStep = sizeof(Word);
  constexpr auto kCase = static_cast<Word>(kSmall);
  Word different = 0;
  for (std::size_t at = 0; at + kStep <= kSize; at += kStep) {
    different = static_cast<Word>(different | ((load<Word>(name + at) | kCase) ^ load<Word>(known + at)));
  }
  constexpr std::size_t kLast = kSize - kStep;
  return static_cast<Word>(different | ((load<Word>(name + kLast) | kCase) ^ load<Word>(known + kLast))) == 0;
}

template <std::size_t N>
[[gnu::always_inline]] inline bool is(const char* name, const char (&known)[N]) {
  if constexpr (N > 8) {
    return is_in_words<std::uint64_t>(name, known);
  } else if constexpr (N > 4) {
    return is_in_words<std::uint32_t>(name, known);
  } else {
    return is_in_words<std::uint16_t>(name, known);
  }
}

FieldName of_16_and_more(const char* name, std::size_t size) {
  switch (size) {
    case 16:
      if (is(name, "content-encoding")) return FieldName::kContentEncoding;
      if (is(name, "content-location")) return FieldName::kContentLocation;
      if (is(name, "www-authenticate")) return FieldName::kWwwAuthenticate;
      if (is(name, "proxy-connection")) return FieldName::kProxyConnection;
      break;
    case 17:
      if (is(name, "transfer-encoding")) return FieldName::kTransferEncoding;
      break;
    case 18:
      if (is(name, "proxy-authenticate")) return FieldName::kProxyAuthenticate;
      break;
    case 19:
      if (is(name, "proxy-authorization")) return FieldName::kProxyAuthorization;
      break;
    case 20:
      if (is(name, "mcp-protocol-version")) return FieldName::kMcpProtocolVersion;
      break;
    default:
      break;
  }
  return FieldName::kOther;
}

FieldName of_10_to_15(const char* name, std::size_t size) {
  switch (size) {
    case 10:
      if (is(name, "connection")) return FieldName::kConnection;
      if (is(name, "user-agent")) return FieldName::kUserAgent;
      if (is(name, "keep-alive")) return FieldName::kKeepAlive;
      if (is(name, "tracestate")) return FieldName::kTracestate;
      if (is(name, "mcp-method")) return FieldName::kMcpMethod;
      break;
    case 11:
      if (is(name, "traceparent")) return FieldName::kTraceparent;
      if (is(name, "content-md5")) return FieldName::kContentMd5;
      if (is(name, "repr-digest")) return FieldName::kReprDigest;
      break;
    case 12:
      if (is(name, "content-type")) return FieldName::kContentType;
      break;
    case 13:
      if (is(name, "authorization")) return FieldName::kAuthorization;
      if (is(name, "last-event-id")) return FieldName::kLastEventId;
      break;
    case 14:
      if (is(name, "content-length")) return FieldName::kContentLength;
      if (is(name, "mcp-session-id")) return FieldName::kMcpSessionId;
      if (is(name, "content-digest")) return FieldName::kContentDigest;
      break;
    case 15:
      if (is(name, "x-forwarded-for")) return FieldName::kXForwardedFor;
      if (is(name, "signature-input")) return FieldName::kSignatureInput;
      break;
    default:
      break;
  }
  return FieldName::kOther;
}

FieldName of_2_to_9(const char* name, std::size_t size) {
  switch (size) {
    case 2:
      if (is(name, "te")) return FieldName::kTe;
      break;
    case 4:
      if (is(name, "host")) return FieldName::kHost;
      if (is(name, "link")) return FieldName::kLink;
      break;
    case 6:
      if (is(name, "origin")) return FieldName::kOrigin;
      if (is(name, "expect")) return FieldName::kExpect;
      if (is(name, "digest")) return FieldName::kDigest;
      break;
    case 7:
      if (is(name, "trailer")) return FieldName::kTrailer;
      if (is(name, "refresh")) return FieldName::kRefresh;
      if (is(name, "upgrade")) return FieldName::kUpgrade;
      if (is(name, "baggage")) return FieldName::kBaggage;
      break;
    case 8:
      if (is(name, "mcp-name")) return FieldName::kMcpName;
      if (is(name, "location")) return FieldName::kLocation;
      break;
    case 9:
      if (is(name, "forwarded")) return FieldName::kForwarded;
      if (is(name, "signature")) return FieldName::kSignature;
      break;
    default:
      break;
  }
  return FieldName::kOther;
}

}  // namespace

std::size_t token_size(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() && is_token_byte(text[size])) ++size;
  return size;
}

FieldName field_name(std::string_view name) {
  if (name.size() < 10) return of_2_to_9(name.data(), name.size());
  if (name.size() < 16) return of_10_to_15(name.data(), name.size());
  return of_16_and_more(name.data(), name.size());
}

bool is_type(std::string_view content_type, std::string_view type) {
  return same_text(trim(content_type.substr(0, content_type.find(';'))), type);
}

}  // namespace mcptrace::http
