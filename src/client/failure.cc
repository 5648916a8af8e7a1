#include "client/failure.h"

#include <algorithm>
#include <chrono>

namespace mcptrace::client {
namespace {

Failure say(Step step, std::string_view what, std::string_view of, std::string_view detail) {
  std::string message = std::string(what).append(of);
  if (!detail.empty()) message.append(": ").append(tame(detail));
  return {step, std::move(message)};
}

// Since TLS 1.3 a server says what it thinks of our certificate after the handshake.
bool is_alert(std::string_view detail) { return detail.contains("SSL") && detail.contains("alert"); }

Failure while_exchanging(const Broken& broken) {
  if (is_alert(broken.detail) || broken.phase == Phase::kTls) {
    return say(Step::kTls, "no TLS with ", broken.server, broken.detail);
  }
  if (broken.phase != Phase::kExchange && broken.peer != broken.server) {
    return say(Step::kProxy, "no way through ", broken.peer, broken.detail);
  }
  if (broken.code == CURLE_SEND_ERROR) return say(Step::kSend, "cannot send to ", broken.server, broken.detail);
  return say(Step::kReceive, "no whole answer from ", broken.server, broken.detail);
}

}  // namespace

std::string duration_text(Nanos time) {
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  return whole % 1000 == 0 ? std::to_string(whole / 1000) + " s" : std::to_string(whole) + " ms";
}

std::string tame(std::string_view words) {
  constexpr std::size_t kMost = 200;
  std::string text(words.substr(0, kMost));
  std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, '?');
  while (text.ends_with('.') || text.ends_with(' ')) text.pop_back();
  return text;
}

Failure failure_of(const Broken& broken) {
  // What libcurl says of a line in the head that is longer than 100 KiB; newer ones have a name for it.
  constexpr int kTooLargeCode = 100;
  if (broken.code == CURLE_OUT_OF_MEMORY || static_cast<int>(broken.code) == kTooLargeCode) {
    return say(Step::kTooLarge, "too large an answer from ", broken.server, {});
  }
  switch (broken.code) {
    case CURLE_URL_MALFORMAT:
      return {Step::kUrl, "the URL cannot be used"};
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return say(Step::kResolve, "cannot find ", broken.peer, {});
    case CURLE_COULDNT_CONNECT:
      return say(Step::kConnect, "cannot connect to ", broken.peer, broken.detail);
    case CURLE_PROXY:
      return say(Step::kProxy, "no way through ", broken.peer, broken.detail);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_USE_SSL_FAILED:
      return say(Step::kTls, "no TLS with ", broken.server, broken.detail);
    default:
      return while_exchanging(broken);
  }
}

Failure late_failure(Phase phase, std::string_view server, std::string_view peer, Nanos after) {
  const auto late = [&](std::string_view what, std::string_view of) {
    return Failure{Step::kTimeout, std::string(what).append(of).append(" in ").append(duration_text(after))};
  };
  switch (phase) {
    case Phase::kWaiting:
      return late("no connection was free for ", server);
    case Phase::kConnecting:
      return late("cannot connect to ", peer);
    case Phase::kTls:
      return late("no TLS with ", server);
    case Phase::kExchange:
      break;
  }
  return late("no whole answer from ", server);
}

}  // namespace mcptrace::client
