// The head of an HTTP/1.1 message as it was parsed: what a relay may rely on. Strings borrow from the bytes the parser
// was given; whoever keeps a head keeps those bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mcptrace::http {

// Field names that mean something to us, compared without regard to case. All others are kOther and pass unread.
enum class FieldName : std::uint8_t {
  kOther,
  // Framing and hop-by-hop (RFC 9110 7.6.1): never passed on as they came.
  kConnection,
  kContentLength,
  kExpect,
  kKeepAlive,
  kProxyAuthenticate,
  kProxyAuthorization,
  kProxyConnection,
  kTe,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  // Read, and passed on.
  kHost,
  kOrigin,
  kUserAgent,
  kAuthorization,
  kContentType,
  kContentEncoding,
  kContentDigest,
  kContentMd5,
  kDigest,
  kReprDigest,
  kSignature,
  kSignatureInput,
  kForwarded,
  kXForwardedFor,
  kWwwAuthenticate,
  kLocation,
  kContentLocation,
  kRefresh,
  kLink,
  kLastEventId,
  kMcpMethod,
  kMcpName,
  kMcpProtocolVersion,
  kMcpSessionId,
  kTraceparent,
  kTracestate,
  kBaggage,
  kCount
};

struct Field {
  FieldName id = FieldName::kOther;
  std::string_view name;   // as it was spelled
  std::string_view value;  // without the white space around it
};

// How the length of a body is told.
enum class BodyFraming : std::uint8_t { kNone, kLength, kChunked, kUntilClose };

struct Head {
  std::uint8_t minor_version = 1;  // HTTP/1.<this>: 0 or 1
  BodyFraming framing = BodyFraming::kNone;
  std::uint64_t length = 0;  // kLength
  bool keep_alive = false;   // by version and Connection
  std::span<const Field> fields;

  // The first field of this name, or null. `id` is not kOther.
  [[nodiscard]] const Field* find(FieldName id) const {
    for (const Field& field : fields) {
      if (field.id == id) return &field;
    }
    return nullptr;
  }
  [[nodiscard]] std::string_view value(FieldName id) const {
    const Field* field = find(id);
    return field == nullptr ? std::string_view{} : field->value;
  }
  // Of a field whose value is a list: all of this name are one (RFC 9110 5.3).
  [[nodiscard]] std::string list(FieldName id) const {
    std::string values;
    for (const Field& field : fields) {
      if (field.id == id) values.append(values.empty() ? "" : ", ").append(field.value);
    }
    return values;
  }
};

struct RequestHead : Head {
  std::string_view method;
  std::string_view target;  // as it came
  bool expects_continue = false;
};

struct ResponseHead : Head {
  int status = 0;
  std::string_view reason;
};

}  // namespace mcptrace::http
