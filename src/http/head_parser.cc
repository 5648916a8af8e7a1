#include "http/head_parser.h"

#include <algorithm>

#include "base/text.h"
#include "http/authority.h"
#include "http/field_table.h"

namespace mcptrace::http {
namespace {

constexpr std::size_t kMaxConnectionOptions = 32;
constexpr std::size_t kMaxLengthDigits = 18;  // what any reader's signed 64 bits hold
constexpr std::size_t kVersionBytes = 8;      // "HTTP/1.1"
constexpr std::size_t kStatusBegin = 9, kStatusEnd = 12;

// CR and LF among them; HTAB not. Counted in short runs, so that the count fits a byte and the loop is a vector's.
std::size_t count_controls(std::string_view text) {
  std::size_t count = 0;
  while (!text.empty()) {
    const std::string_view run = text.substr(0, 128);
    std::uint8_t in_run = 0;
    for (const char c : run) {
      const auto byte = static_cast<unsigned char>(c);
      in_run = static_cast<std::uint8_t>(in_run + ((byte < 0x20 && byte != '\t') || byte == 0x7f));
    }
    count += in_run;
    text.remove_prefix(run.size());
  }
  return count;
}

}  // namespace

bool HeadParser::bad(int status, std::string_view what) {
  problem_ = {status, what};
  return false;
}

bool HeadParser::parse(std::string_view text, LineEnds ends, RequestHead& head) {
  // HeadScan has seen that the line ends in a space and a version.
  const std::string_view line = text.substr(0, ends.front());
  const std::size_t method = token_size(line);
  if (method == 0 || line[method] != ' ') return bad(400, "the method is not a token");
  head.method = line.substr(0, method);
  repairs_ = false;
  if (line.size() < method + 3 + kVersionBytes) return bad(400, "no request target");
  head.target = line.substr(method + 1, line.size() - method - 2 - kVersionBytes);
  head.minor_version = line.back() == '0' ? 0 : 1;
  if (!parse_fields(text, ends, head)) return false;
  if (framing_.odd_option) return bad(400, "a Connection option is not a token");
  if (framing_.lookalike) return bad(400, "a field name that some servers take for a framing field");
  if (head.method == "CONNECT") return bad(405, "CONNECT is for forward proxies");
  head.expects_continue = framing_.expects_continue && head.minor_version > 0;
  return check_target(head.target) && check_host(head);
}

bool HeadParser::parse(std::string_view text, LineEnds ends, ResponseHead& head) {
  // HeadScan has seen a version and a space.
  const std::string_view line = text.substr(0, ends.front());
  const std::string_view digits = line.substr(kStatusBegin, kStatusEnd - kStatusBegin);
  const bool ends_well = line.size() == kStatusEnd || line[kStatusEnd] == ' ';
  if (digits.front() < '1' || !std::ranges::all_of(digits, is_digit) || !ends_well) {
    return bad(400, "the status is not a number of three digits");
  }
  head.status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
  head.reason = line.substr(std::min(kStatusEnd + 1, line.size()));
  head.minor_version = line[kVersionBytes - 1] == '0' ? 0 : 1;
  repairs_ = true;
  return parse_fields(text, ends, head);
}

void HeadParser::head_moved(const char* from, const char* to, RequestHead& head) {
  const auto move = [&](std::string_view& text) { text = {to + (text.data() - from), text.size()}; };
  move(head.method);
  move(head.target);
  for (Field& field : fields_) move(field.name), move(field.value);
}

bool HeadParser::parse_fields(std::string_view text, LineEnds ends, Head& head) {
  fields_.clear();
  framing_ = {};
  // Each line has its CR and LF; whatever is more than those is a NUL, a CR that ends nothing, or worse.
  if (count_controls(text) != 2 * ends.size()) return bad(400, "a control character");
  const char* begin = text.data() + ends.front() + 2;
  for (const std::uint32_t end : ends.subspan(1, ends.size() - 2)) {
    if (!take_field({begin, text.data() + end})) return false;
    begin = text.data() + end + 2;
  }
  head.fields = fields_;
  if (framing_.codings > 0 && framing_.lengths > 0) return bad(400, "both Content-Length and Transfer-Encoding");
  if (framing_.codings > 0 && head.minor_version == 0) return bad(400, "Transfer-Encoding in an HTTP/1.0 message");
  head.keep_alive = !framing_.close && !framing_.odd_option && (head.minor_version > 0 || framing_.keep_alive);
  return true;
}

bool HeadParser::take_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  std::string_view name = line.substr(0, std::min(colon, line.size()));
  if (repairs_) name = trim_end(name);
  const FieldName id = field_name(name);  // what it knows is a token
  const bool token = id != FieldName::kOther || (!name.empty() && token_size(name) == name.size());
  if (!token || colon == line.npos) return bad(400, "a field name is not a token directly followed by a colon");
  if (fields_.size() == kMaxFields) return bad(431, "too many fields");
  const Field& field = fields_.emplace_back(id, name, trim(line.substr(colon + 1)));
  return id > FieldName::kHost || note(field);
}

bool HeadParser::note(const Field& field) {
  switch (field.id) {
    case FieldName::kContentLength:
      return note_length(field.value);
    case FieldName::kTransferEncoding:
      return note_coding(field.value);
    case FieldName::kConnection:
      return note_connection(field.value);
    case FieldName::kHost:
      framing_.host = field.value;
      ++framing_.hosts;
      return true;
    case FieldName::kExpect:
      framing_.expects_continue |= same_text(field.value, "100-continue");
      return true;
    case FieldName::kOther:
      framing_.lookalike |= same_text(field.name, "content_length") || same_text(field.name, "transfer_encoding");
      return true;
    default:
      return true;
  }
}

bool HeadParser::note_length(std::string_view value) {
  if (++framing_.lengths > 1) return bad(400, "two Content-Length fields");
  if (value.empty() || value.size() > kMaxLengthDigits || !std::ranges::all_of(value, is_digit)) {
    return bad(400, "Content-Length is not a number of at most 18 digits");
  }
  for (const char c : value) framing_.length = framing_.length * 10 + static_cast<std::uint64_t>(c - '0');
  return true;
}

bool HeadParser::note_coding(std::string_view value) {
  if (++framing_.codings > 1) return bad(400, "two Transfer-Encoding fields");
  if (value.empty()) return bad(400, "an empty Transfer-Encoding");
  return same_text(value, "chunked") || bad(501, "a transfer coding other than chunked");
}

bool HeadParser::note_connection(std::string_view value) {
  while (!value.empty()) {
    const std::string_view option = trim(take_until(value, ','));
    framing_.odd_option |= token_size(option) != option.size();
    framing_.close |= same_text(option, "close");
    framing_.keep_alive |= same_text(option, "keep-alive");
    if (++framing_.connection_options > kMaxConnectionOptions) return bad(400, "too many Connection options");
  }
  return true;
}

// Spaces and controls end words for some readers, and so do bytes above 0x7f in some character sets.
bool HeadParser::check_target(std::string_view target) {
  bool odd = false, fragment = false;
  for (const char c : target) {
    odd |= static_cast<signed char>(c) <= ' ' || c == 0x7f;
    fragment |= c == '#';
  }
  if (odd) return bad(400, "a space, a control character or a byte above 0x7e in the request target");
  if (fragment) return bad(400, "a fragment in the request target");
  return true;
}

// Exactly one Host, of valid form, which agrees with the target (RFC 9112 3.2).
bool HeadParser::check_host(const RequestHead& head) {
  if (framing_.hosts > 1) return bad(400, "two Host fields");
  if (framing_.hosts == 0 && head.minor_version > 0) return bad(400, "no Host field");
  const auto host = parse_authority(framing_.host);
  if (framing_.hosts == 1 && !host) return bad(400, "a Host field that is not host or host:port");
  if (head.target.front() == '/') return true;

  const bool tls = starts_with_text(head.target, "https://");
  if (!tls && !starts_with_text(head.target, "http://")) {
    return bad(400, "a request target that is neither a path nor an http URL");
  }
  const std::string_view rest = head.target.substr(tls ? 8 : 7);
  const auto named = parse_authority(rest.substr(0, std::min(rest.find_first_of("/?"), rest.size())));
  if (!named) return bad(400, "a request target without a valid host");
  if (host && !same_authority(*named, *host, tls ? 443 : 80)) {
    return bad(400, "Host and request target name different hosts");
  }
  return true;
}

}  // namespace mcptrace::http
