#include "http/head_writer.h"

#include <array>
#include <charconv>
#include <utility>

#include "base/text.h"
#include "http/field_table.h"

namespace mcptrace::http {
namespace {

constexpr std::size_t kOwnBytes = 320;  // more than all that we write besides what is borrowed

// Appends without checking for room: the caller has made enough.
class Pen {
 public:
  explicit Pen(char* at) : at_(at) {}
  Pen& operator<<(std::string_view text) {
    at_ += text.copy(at_, text.size());
    return *this;
  }
  Pen& operator<<(std::uint64_t number) {
    at_ = std::to_chars(at_, at_ + 20, number).ptr;
    return *this;
  }
  Pen& field(std::string_view name, std::string_view value) { return *this << name << ": " << value << "\r\n"; }
  [[nodiscard]] char* at() const { return at_; }

 private:
  char* at_;
};

std::size_t fields_size(const Head& head) {
  std::size_t size = kOwnBytes;
  for (const Field& field : head.fields) size += field.name.size() + field.value.size() + 4;
  return size;
}

bool is_protected(const Field& field) {
  if (field.id != FieldName::kOther) return true;
  return starts_with_text(field.name, "mcp-") || starts_with_text(field.name, "content-") ||
         same_text(field.name, "cookie") || same_text(field.name, "set-cookie") ||
         same_text(field.name, "cache-control");
}

// Calls `visit` with each option of the Connection fields until it returns true; then it is true.
template <class Visit>
bool any_option(const Head& head, Visit visit) {
  for (const Field& field : head.fields) {
    if (field.id != FieldName::kConnection) continue;
    std::string_view list = field.value;
    while (!list.empty()) {
      if (visit(trim(take_until(list, ',')))) return true;
    }
  }
  return false;
}

// Does Connection name anything that is not dropped anyway?
bool names_fields(const Head& head) {
  return any_option(head, [](std::string_view option) {
    return !option.empty() && !same_text(option, "close") && !is_hop_by_hop(field_name(option));
  });
}

bool is_named(const Head& head, const Field& field) {
  return !is_protected(field) &&
         any_option(head, [&](std::string_view option) { return same_text(option, field.name); });
}

// All that goes on as it came. `dropped` besides the fields of the connection.
template <class Dropped>
void write_fields(Pen& pen, const Head& head, Dropped dropped) {
  const bool selective = names_fields(head);
  for (const Field& field : head.fields) {
    if (is_hop_by_hop(field.id) || dropped(field.id)) continue;
    if (selective && is_named(head, field)) continue;
    pen.field(field.name, field.value);
  }
}

void write_framing(Pen& pen, BodyFraming framing, std::uint64_t length) {
  if (framing == BodyFraming::kLength) {
    pen << "Content-Length: " << length << "\r\n";
  } else if (framing == BodyFraming::kChunked) {
    pen << "Transfer-Encoding: chunked\r\n";
  }
}

void append_json(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {  // ours are ASCII; whatever else gets here stays one byte's escape
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
}

}  // namespace

void write_request_head(const RequestHead& head, const RequestOut& as, std::string& out) {
  const std::size_t size = fields_size(head) + head.method.size() + as.target.size() + as.host.size() +
                           as.traceparent.size() + as.tracestate.size() + as.proxy_authorization.size();
  out.resize_and_overwrite(size, [&](char* begin, std::size_t) {
    Pen pen(begin);
    pen << head.method << " " << as.target << " HTTP/1.1\r\n";
    if (!as.host.empty()) pen.field("Host", as.host);
    const bool own_host = !as.host.empty();
    const bool own_context = !as.traceparent.empty();
    write_fields(pen, head, [&](FieldName id) {
      return (own_host && id == FieldName::kHost) ||
             (own_context && (id == FieldName::kTraceparent || id == FieldName::kTracestate));
    });
    if (own_context) pen.field("traceparent", as.traceparent);
    if (own_context && !as.tracestate.empty()) pen.field("tracestate", as.tracestate);
    if (!as.proxy_authorization.empty()) pen.field("Proxy-Authorization", as.proxy_authorization);
    if (as.close) pen << "Connection: close\r\n";
    if (as.with_expect) pen << "Expect: 100-continue\r\n";
    write_framing(pen, as.framing, as.length);
    pen << "\r\n";
    return static_cast<std::size_t>(pen.at() - begin);
  });
}

void write_response_head(const ResponseHead& head, const ResponseOut& as, std::string& out) {
  out.resize_and_overwrite(fields_size(head) + head.reason.size(), [&](char* begin, std::size_t) {
    Pen pen(begin);
    pen << "HTTP/1.1 " << static_cast<std::uint64_t>(head.status) << " " << head.reason << "\r\n";
    write_fields(pen, head, [](FieldName) { return false; });
    if (!as.interim) {
      if (as.framing == BodyFraming::kNone && head.status != 204) {
        if (const Field* length = head.find(FieldName::kContentLength)) pen.field(length->name, length->value);
      }
      write_framing(pen, as.framing, as.length);
      if (as.close) {
        pen << "Connection: close\r\n";
      } else if (as.http_10) {
        pen << "Connection: keep-alive\r\n";
      }
    }
    pen << "\r\n";
    return static_cast<std::size_t>(pen.at() - begin);
  });
}

std::string_view reason_phrase(int status) {
  static constexpr std::array<std::pair<int, std::string_view>, 14> kPhrases = {{
      {400, "Bad Request"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
  }};
  for (const auto& [known, phrase] : kPhrases) {
    if (known == status) return phrase;
  }
  return {};
}

std::string error_response(int status, std::string_view route, std::string_view reason, bool with_body) {
  std::string body = R"({"error":{"status":)" + std::to_string(status);
  if (!route.empty()) {
    body += R"(,"route":")";
    append_json(body, route);
    body += '"';
  }
  body += R"(,"reason":")";
  append_json(body, reason);
  body += "\"}}\n";

  std::string out = "HTTP/1.1 " + std::to_string(status) + " " + std::string(reason_phrase(status)) + "\r\n";
  if (status == 405) out += "Allow: DELETE, GET, POST\r\n";  // RFC 9110 15.5.6
  out += "Content-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n";
  if (with_body) out += body;
  return out;
}

}  // namespace mcptrace::http
