// What the tests of the client share.
#pragma once

#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "client/client.h"
#include "client/test_server.h"

namespace mcptrace::client {

inline constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Each request gets `answer`.
inline TestServer::Serve always(std::string answer) {
  return [answer](Peer& peer) {
    while (!peer.read_request().empty()) peer.write(answer);
  };
}

// Reads, and says nothing.
inline void say_nothing(Peer& peer) {
  while (!peer.read_request().empty()) {
  }
}

class ClientTest : public testing::Test {
 protected:
  ClientTest() { std::signal(SIGPIPE, SIG_IGN); }

  Answer ask(Request request) {
    std::optional<Answer> got;
    client.start(std::move(request), [&](Answer answer) { got = std::move(answer); });
    while (!got) client.run(std::chrono::seconds(10));
    return *std::move(got);
  }
  Answer ask(std::string url) { return ask(Request{.url = std::move(url), .body = "body"}); }
  Failure fail(Request request) {
    const Answer answer = ask(std::move(request));
    return answer ? Failure{Step::kNone, "status " + std::to_string(answer->status)} : answer.error();
  }
  Failure fail(std::string url) { return fail(Request{.url = std::move(url), .body = "body"}); }
  // Its message, or the answer's body.
  std::string said(Request request) {
    const Answer answer = ask(std::move(request));
    return answer ? answer->body : answer.error().message;
  }

  std::map<std::string, std::string, std::less<>> variables;
  Client client{[this](std::string_view name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  }};
};

}  // namespace mcptrace::client
