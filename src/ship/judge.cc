#include "ship/judge.h"

#include <time.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/utf8.h"
#include "otlp/export.h"

namespace mcptrace::ship {
namespace {

using client::Answer;
using client::Response;
using config::Protocol;

constexpr std::size_t kMostWords = 200;  // of what a receiver says
constexpr Nanos kMostPatience = std::chrono::hours(1);

const std::string* find(const client::Headers& headers, std::string_view name) {
  const auto found = std::ranges::find(headers, name, &std::pair<std::string, std::string>::first);
  return found == headers.end() ? nullptr : &found->second;
}

// Seconds, or a date.
std::optional<Nanos> retry_after(const Response& response, Nanos now) {
  const std::string* const value = find(response.headers, "retry-after");
  if (value == nullptr) return std::nullopt;
  const std::string text(trim(*value));
  if (const auto seconds = parse_number<std::uint32_t>(text)) {
    return std::min<Nanos>(std::chrono::seconds(*seconds), kMostPatience);
  }
  std::tm date{};
  const char* const end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (end == nullptr || *end != '\0') return std::nullopt;
  const Nanos at = std::chrono::seconds(::timegm(&date));
  return std::clamp(at - now, Nanos(0), kMostPatience);
}

// One line of what the receiver says.
std::string words_of(std::string_view text) {
  std::string words;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = first_character(text.substr(at));
    const bool shown = character.good && (is_visible(character.code) || is_space(character.code));
    if (shown)
      words.append(text.substr(at, character.size));
    else if (!words.ends_with(' '))
      words += ' ';
    at += character.size;
    if (words.size() >= kMostWords) return words + "…";
  }
  return std::string(trim(words));
}

bool is_json(const Response& response) {
  const std::string* const type = find(response.headers, "content-type");
  return type != nullptr && starts_with_text(trim(*type), "application/json");
}

Judgement delivered(const Result<otlp::ExportAnswer>& answer) {
  Judgement judgement{.verdict = Verdict::kDelivered};
  if (!answer) return judgement;  // it was taken, whatever else it says
  judgement.rejected = std::max<std::int64_t>(answer->rejected, 0);
  const std::string words = words_of(answer->message);
  if (judgement.rejected > 0) {
    judgement.sentence = std::to_string(judgement.rejected) + " spans of a request were not taken";
    if (!words.empty()) judgement.sentence += ": " + words;
  } else if (!words.empty()) {
    judgement.sentence = "it warns: " + words;
  }
  return judgement;
}

struct StatusName {
  int status;
  std::string_view name;
};
constexpr StatusName kStatusNames[] = {
    {301, "Moved Permanently"},
    {302, "Found"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

Verdict verdict_of(int status) {
  if (status >= 300 && status < 400) return Verdict::kMisplaced;
  switch (status) {
    case 429:
    case 502:
    case 503:
    case 504:
      return Verdict::kRetry;
    case 413:
      return Verdict::kTooLarge;
    case 401:
    case 403:
    case 404:
    case 405:
    case 407:
    case 415:
      return Verdict::kMisplaced;
    default:
      return Verdict::kRefused;
  }
}

std::string advice(int status) {
  switch (status) {
    case 401:
    case 403:
      return "; check the key, and what it is allowed to do";
    case 404:
    case 405:
      return "; check the endpoint and its path";
    case 407:
      return "; the proxy wants a user";
    case 415:
      return "; check the protocol";
    default:
      return status >= 300 && status < 400 ? "; redirections are not followed: check the endpoint" : "";
  }
}

Judgement judge_http(const Response& response, Nanos now) {
  const bool json = is_json(response);
  if (response.status >= 200 && response.status < 300) {
    return delivered(json ? otlp::parse_export_answer(response.body) : otlp::decode_export_answer(response.body));
  }
  Judgement judgement{.verdict = verdict_of(response.status)};
  if (judgement.verdict == Verdict::kRetry) judgement.retry_after = retry_after(response, now);
  judgement.sentence = "HTTP " + std::to_string(response.status);
  const auto name = std::ranges::find(kStatusNames, response.status, &StatusName::status);
  if (name != std::end(kStatusNames)) judgement.sentence.append(" ").append(name->name);
  const auto status = json ? otlp::parse_rpc_status(response.body) : otlp::decode_rpc_status(response.body);
  if (const std::string words = status ? words_of(status->message) : ""; !words.empty()) {
    judgement.sentence += ": " + words;
  }
  judgement.sentence += advice(response.status);
  return judgement;
}

constexpr std::string_view kRpcNames[] = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};
enum Rpc : std::uint8_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16
};

// Of an answer that is not gRPC's.
int rpc_of_http(int status) {
  switch (status) {
    case 400:
      return kInternal;
    case 401:
      return kUnauthenticated;
    case 403:
      return kPermissionDenied;
    case 404:
      return kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return kUnavailable;
    default:
      return kUnknown;
  }
}

// Where a receiver says that a message is larger than it takes there is no delay: it will not be smaller later.
Verdict verdict_of_rpc(int code, bool has_delay) {
  switch (code) {
    case kCancelled:
    case kDeadlineExceeded:
    case kAborted:
    case kOutOfRange:
    case kUnavailable:
    case kDataLoss:
      return Verdict::kRetry;
    case kResourceExhausted:
      return has_delay ? Verdict::kRetry : Verdict::kTooLarge;
    case kUnauthenticated:
    case kPermissionDenied:
    case kUnimplemented:
    case kNotFound:
      return Verdict::kMisplaced;
    default:
      return Verdict::kRefused;
  }
}

Judgement judge_grpc(const Response& response, Nanos now) {
  // Where there is no message the status is among the headers.
  const auto field = [&](std::string_view name) {
    const std::string* const trailer = find(response.trailers, name);
    return trailer != nullptr ? trailer : find(response.headers, name);
  };
  const std::string* const number = field("grpc-status");
  const auto code = number != nullptr ? parse_number<int>(trim(*number)) : std::nullopt;
  if (code == kOk) {
    const std::string_view framed = response.body;
    return delivered(otlp::decode_export_answer(framed.substr(std::min<std::size_t>(framed.size(), 5))));
  }
  std::optional<Nanos> delay;
  if (const std::string* const details = field("grpc-status-details-bin")) {
    std::string padded(trim(*details));
    while (padded.size() % 4 != 0) padded += '=';
    const auto bytes = base64_decode(padded);
    const auto status = bytes ? otlp::decode_rpc_status(*bytes) : Result<otlp::RpcStatus>();
    if (status) delay = status->retry_delay;
  }
  if (!delay && !code) delay = retry_after(response, now);
  const int meant = code ? *code : rpc_of_http(response.status);
  Judgement judgement{.verdict = verdict_of_rpc(meant, delay.has_value())};
  if (judgement.verdict == Verdict::kRetry && delay)
    judgement.retry_after = std::clamp(*delay, Nanos(0), kMostPatience);
  judgement.sentence = code ? "gRPC " : "HTTP " + std::to_string(response.status) + ", which is no gRPC: ";
  const bool known = meant >= 0 && static_cast<std::size_t>(meant) < std::size(kRpcNames);
  judgement.sentence += known ? std::string(kRpcNames[static_cast<std::size_t>(meant)]) : std::to_string(meant);
  if (const std::string* const message = field("grpc-message")) {
    if (const std::string words = words_of(percent_decode(*message).value_or(*message)); !words.empty()) {
      judgement.sentence += ": " + words;
    }
  }
  if (judgement.verdict == Verdict::kMisplaced) {
    judgement.sentence += meant == kUnimplemented || meant == kNotFound ? advice(404) : advice(401);
  }
  return judgement;
}

}  // namespace

Judgement judge(Protocol protocol, const Answer& answer, Nanos now) {
  if (!answer) {
    // An answer that is too large is the next time, too; and whoever gives one has the spans.
    const bool too_large = answer.error().step == client::Step::kTooLarge;
    return {.verdict = too_large ? Verdict::kDelivered : Verdict::kRetry, .sentence = answer.error().message};
  }
  return protocol == Protocol::kGrpc ? judge_grpc(*answer, now) : judge_http(*answer, now);
}

}  // namespace mcptrace::ship
