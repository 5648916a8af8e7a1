#include "ship/request.h"

#include <algorithm>

#include "base/text.h"

namespace mcptrace::ship {
namespace {

using config::Compression;
using config::Protocol;

constexpr std::string_view kUserAgent = "mcptrace/" MCPTRACE_VERSION " OTel-OTLP-Exporter-Cpp/" MCPTRACE_VERSION;

Result<std::string> value_of(const HeaderSetting& header, const Resolve& resolve, Secrets& secrets) {
  if (header.form == HeaderSetting::Form::kLiteral) return header.value;
  auto secret = resolve(header.value);
  if (!secret) {
    return std::unexpected(Error{Errc::kInvalidArgument, header.name + ": " + secret.error().message});
  }
  if (secret->find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos || secret->empty()) {
    return std::unexpected(
        Error{Errc::kInvalidArgument, header.name + ": " + header.value + " is empty or more than one line"});
  }
  secrets.push_back(*secret);
  if (header.form == HeaderSetting::Form::kBearer) return "Bearer " + *secret;
  if (header.form != HeaderSetting::Form::kBasic) return *secret;
  secrets.push_back(base64(header.user + ":" + *secret));
  return "Basic " + secrets.back();
}

Result<std::string> body_of(const Settings& settings, const Batch& batch, Compressor& compressor) {
  std::string plain, packed;
  if (settings.protocol == Protocol::kHttpJson) {
    MCPTRACE_TRY_VOID(batch.append_json(plain));
  } else {
    batch.append_protobuf(plain);
  }
  switch (settings.compression) {
    case Compression::kNone:
      return plain;
    case Compression::kGzip:
      MCPTRACE_TRY_VOID(compressor.gzip(plain, packed));
      return packed;
    case Compression::kZstd:
      MCPTRACE_TRY_VOID(compressor.zstd(plain, packed));
  }
  return packed;
}

// gRPC over HTTP/2, "Length-Prefixed-Message": u8 compressed, u32 size (big endian), message.
void frame(const Settings& settings, std::string& body) {
  const auto size = static_cast<std::uint32_t>(body.size());
  const char head[] = {settings.compression == Compression::kNone ? '\0' : '\1', static_cast<char>(size >> 24),
                       static_cast<char>(size >> 16), static_cast<char>(size >> 8), static_cast<char>(size)};
  body.insert(0, head, sizeof(head));
}

void describe_body(const Settings& settings, client::Headers& headers) {
  const std::string compression(compression_text(settings.compression));
  if (settings.protocol == Protocol::kGrpc) {
    headers.emplace_back("content-type", "application/grpc");
    headers.emplace_back("te", "trailers");
    const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(settings.timeout);
    if (patience.count() > 0) {
      headers.emplace_back("grpc-timeout", std::to_string(std::min<std::int64_t>(patience.count(), 99'999'999)) + "m");
    }
    if (settings.compression != Compression::kNone) headers.emplace_back("grpc-encoding", compression);
    headers.emplace_back("grpc-accept-encoding", "identity");
    return;
  }
  const bool json = settings.protocol == Protocol::kHttpJson;
  headers.emplace_back("content-type", json ? "application/json" : "application/x-protobuf");
  if (settings.compression != Compression::kNone) headers.emplace_back("content-encoding", compression);
}

}  // namespace

Result<client::Request> make_request(const Settings& settings, const Batch& batch, const Resolve& resolve,
                                     Compressor& compressor, Secrets& secrets) {
  client::Request request;
  request.url = settings.url;
  request.headers.emplace_back("user-agent", kUserAgent);
  describe_body(settings, request.headers);
  for (const HeaderSetting& header : settings.headers) {
    MCPTRACE_TRY(std::string value, value_of(header, resolve, secrets));
    std::erase_if(request.headers, [&](const auto& other) { return other.first == header.name; });
    request.headers.emplace_back(header.name, std::move(value));
  }
  MCPTRACE_TRY(request.body, body_of(settings, batch, compressor));
  request.http2 = settings.protocol == Protocol::kGrpc;
  if (request.http2) frame(settings, request.body);
  request.tls = settings.tls;
  request.proxy = settings.proxy;
  request.timeout = settings.timeout;
  return request;
}

std::string masked(std::string text, const Secrets& secrets) {
  for (const std::string& secret : secrets) {
    for (std::size_t at = 0; !secret.empty() && (at = text.find(secret, at)) != std::string::npos; at += 3) {
      text.replace(at, secret.size(), "***");
    }
  }
  return text;
}

std::string_view protocol_text(Protocol protocol) {
  switch (protocol) {
    case Protocol::kHttpProtobuf:
      return "http/protobuf";
    case Protocol::kHttpJson:
      return "http/json";
    case Protocol::kGrpc:
      break;
  }
  return "grpc";
}

std::string_view compression_text(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return "none";
    case Compression::kGzip:
      return "gzip";
    case Compression::kZstd:
      break;
  }
  return "zstd";
}

}  // namespace mcptrace::ship
