#include "observe/pairing.h"

#include <gtest/gtest.h>

#include "observe/traced_test_support.h"

namespace mcptrace::observe {
namespace {

using mcp::Direction;
using mcp::Fact;
using mcp::IdType;
using mcp::Message;
using mcp::MessageKind;
using mcp::Method;
using mcp::OpenCall;
using mcp::RequestId;

RequestId number(std::uint64_t id) { return {IdType::kInteger, id, id}; }

// The invariant everywhere: a call is only given where no other one could be meant.
class PairingTest : public testing::Test {
 protected:
  explicit PairingTest(TracerOptions options = {}) : parts_(std::move(options)) {}

  OpenCall& ask(std::uint64_t id, Method method = Method::kToolsCall) {
    return parts_.open(TracedParts::request(1, id, 0, method));
  }
  OpenCall& ask_client(std::uint64_t id) {
    Fact fact = TracedParts::request(1, id, 0, Method::kSamplingCreateMessage);
    fact.message.direction = Direction::kServerToClient;
    return parts_.open(fact);
  }
  // Over HTTP, in an exchange whose ids are its own.
  OpenCall& ask_in(HttpExchange& exchange, std::uint64_t id, std::uint32_t session = 1) {
    Fact fact = TracedParts::request(session, id, 0);
    mcp::scope_id(fact.message.id, exchange.scope);
    return parts_.calls.open(parts_.sessions.open_for(fact), exchange, fact);
  }
  HttpExchange& exchange(std::uint64_t serial, mcp::HttpMethod method = mcp::HttpMethod::kPost) {
    HttpExchange& made = parts_.exchanges.add(serial);
    made.scope = serial;
    made.method = method;
    return made;
  }

  static Fact cancellation(Direction direction, std::uint64_t id) {
    Fact fact;
    fact.context.session = fact.context.session_print = 1;
    fact.message.kind = MessageKind::kNotification;
    fact.message.method = Method::kNotificationsCancelled;
    fact.message.direction = direction;
    fact.message.related = number(id);
    return fact;
  }
  static Message from_server(Method method, RequestId related = {}) {
    Message message;
    message.kind = MessageKind::kNotification;
    message.direction = Direction::kServerToClient;
    message.method = method;
    message.related = related;
    return message;
  }

  TracedParts parts_;
  HttpExchange& stdio_ = parts_.stdio;
  Pairing pairing_{parts_.calls, parts_.exchanges};
};

class PairingOverHttp : public PairingTest {
 protected:
  PairingOverHttp() : PairingTest({.routes = {{"a", {}, 0}}}) {}
};

TEST_F(PairingTest, AnAnswerIsOfTheCallWithItsIdInItsDirection) {
  OpenCall& one = ask(1);
  OpenCall& two = ask(2);
  OpenCall& of_server = ask_client(1);
  EXPECT_EQ(pairing_.asked(stdio_, Direction::kClientToServer, number(1)), &one);
  EXPECT_EQ(pairing_.asked(stdio_, Direction::kClientToServer, number(2)), &two);
  EXPECT_EQ(pairing_.asked(stdio_, Direction::kServerToClient, number(1)), &of_server);
  EXPECT_EQ(pairing_.asked(stdio_, Direction::kServerToClient, number(2)), nullptr);
  EXPECT_EQ(pairing_.asked(stdio_, Direction::kClientToServer, {IdType::kString, 1, 1}), nullptr);
  EXPECT_EQ(pairing_.asked(stdio_, Direction::kClientToServer, {}), nullptr);
}

TEST_F(PairingOverHttp, OnAResumedStreamAnAnswerIsOfTheExchangeThatItGoesOnWith) {
  HttpExchange& cut = exchange(5);
  OpenCall& call = ask_in(cut, 1);
  HttpExchange& other = exchange(6);
  ask_in(other, 1);
  HttpExchange& resuming = exchange(7, mcp::HttpMethod::kGet);
  RequestId id = number(1);
  mcp::scope_id(id, resuming.scope);
  EXPECT_EQ(pairing_.asked(resuming, Direction::kClientToServer, id), nullptr);
  resuming.resumes = 5;
  EXPECT_EQ(pairing_.asked(resuming, Direction::kClientToServer, id), &call);
  EXPECT_EQ(pairing_.asked(resuming, Direction::kClientToServer, call.id), &call);  // where both are of one session
}

TEST_F(PairingTest, WhoAskedCancels) {
  OpenCall& call = ask(1);
  OpenCall& of_server = ask_client(2);
  EXPECT_EQ(pairing_.cancelled(cancellation(Direction::kClientToServer, 1)), &call);
  EXPECT_EQ(pairing_.cancelled(cancellation(Direction::kServerToClient, 2)), &of_server);
  EXPECT_EQ(pairing_.cancelled(cancellation(Direction::kServerToClient, 1)), nullptr);
  EXPECT_EQ(pairing_.cancelled(cancellation(Direction::kClientToServer, 2)), nullptr);
  Fact without_id = cancellation(Direction::kClientToServer, 1);
  without_id.message.related = {};
  EXPECT_EQ(pairing_.cancelled(without_id), nullptr);
}

TEST_F(PairingTest, ASubscriptionIsEndedByEitherSideAndAnInitializeByNone) {
  OpenCall& listen = ask(1, Method::kSubscriptionsListen);
  ask(2, Method::kInitialize);
  EXPECT_EQ(pairing_.cancelled(cancellation(Direction::kServerToClient, 1)), &listen);
  EXPECT_EQ(pairing_.cancelled(cancellation(Direction::kClientToServer, 1)), &listen);
  EXPECT_EQ(pairing_.cancelled(cancellation(Direction::kClientToServer, 2)), nullptr);
}

TEST_F(PairingOverHttp, InAGuessedSessionOnlyTheOneCallWithTheIdIsCancelled) {
  OpenCall& call = ask_in(exchange(5), 1);
  ask_in(exchange(6), 1, /*session=*/2);
  mcp::HttpFact http;
  http.exchange = http.scope = 9;
  http.flags = mcp::kGuessed;
  Fact fact = cancellation(Direction::kClientToServer, 1);
  fact.http = &http;
  mcp::scope_ids(fact.message, http.scope);
  EXPECT_EQ(pairing_.cancelled(fact), &call);
  ask_in(exchange(7), 1);
  EXPECT_EQ(pairing_.cancelled(fact), nullptr);
  http.flags = 0;
  EXPECT_EQ(pairing_.cancelled(fact), nullptr);
}

TEST_F(PairingTest, ProgressNamesItsCallByTokenAndOthersASubscriptionById) {
  Fact fact = TracedParts::request(1, 1, 0);
  fact.message.flags |= mcp::kHasProgressToken;
  fact.message.related = number(70);
  OpenCall& call = parts_.open(fact);
  OpenCall& listen = ask(2, Method::kSubscriptionsListen);
  const auto named = [&](Method method, RequestId id) { return pairing_.named(stdio_, from_server(method, id)); };
  EXPECT_EQ(named(Method::kNotificationsProgress, number(70)), &call);
  EXPECT_EQ(named(Method::kNotificationsProgress, number(1)), nullptr);
  EXPECT_EQ(named(Method::kNotificationsResourcesUpdated, number(2)), &listen);
  EXPECT_EQ(named(Method::kNotificationsResourcesUpdated, number(1)), nullptr);  // a call, but no subscription
  EXPECT_EQ(named(Method::kNotificationsResourcesUpdated, {}), nullptr);
  Message request = from_server(Method::kSamplingCreateMessage, number(2));
  request.kind = MessageKind::kRequest;
  EXPECT_EQ(pairing_.named(stdio_, request), nullptr);
}

TEST_F(PairingTest, OverStdioTheServerServesTheOnlyCallThatMayNest) {
  const Message message = from_server(Method::kNotificationsMessage);
  EXPECT_EQ(pairing_.served(stdio_, nullptr, message), nullptr);
  OpenCall& call = ask(1);
  ask(2, Method::kToolsList);
  EXPECT_EQ(pairing_.served(stdio_, nullptr, message), &call);
  EXPECT_EQ(pairing_.served(stdio_, nullptr, from_server(Method::kNotificationsProgress, number(9))), nullptr);
  Message answer = message;
  answer.kind = MessageKind::kResult;
  EXPECT_EQ(pairing_.served(stdio_, nullptr, answer), nullptr);
  ask(3, Method::kPromptsGet);
  EXPECT_EQ(pairing_.served(stdio_, nullptr, message), nullptr);
}

TEST_F(PairingOverHttp, OnItsPostTheServerServesTheCallThatIsInIt) {
  const Message message = from_server(Method::kNotificationsMessage);
  HttpExchange& post = exchange(5);
  OpenCall& call = ask_in(post, 1);
  ask_in(exchange(6), 2);
  Session& session = *parts_.sessions.find(1);
  EXPECT_EQ(pairing_.served(post, &session, message), &call);
  HttpExchange& resuming = exchange(7, mcp::HttpMethod::kGet);
  resuming.resumes = 5;
  EXPECT_EQ(pairing_.served(resuming, &session, message), &call);
  ask_in(post, 3);  // a batch
  EXPECT_EQ(pairing_.served(post, &session, message), nullptr);
}

TEST_F(PairingOverHttp, OnAStreamOfItsSessionTheServerServesTheOnlyCallThatMayNest) {
  const Message message = from_server(Method::kNotificationsMessage);
  OpenCall& call = ask_in(exchange(5), 1);
  Session& session = *parts_.sessions.find(1);
  HttpExchange& stream = exchange(6, mcp::HttpMethod::kGet);
  EXPECT_EQ(pairing_.served(stream, &session, message), &call);
  HttpExchange& other_post = exchange(7);
  EXPECT_EQ(pairing_.served(other_post, &session, message), nullptr);
  Session loose({}, {});
  EXPECT_EQ(pairing_.served(stream, &loose, message), nullptr);  // of no session
}

}  // namespace
}  // namespace mcptrace::observe
