// Where a client's message over HTTP belongs, as far as golden cases cannot reach: bounds, replicas, handles.
#include "observe/http_placement.h"

#include <gtest/gtest.h>

#include "base/testing.h"

namespace mcptrace::observe {
namespace {

using mcp::NotInjected;

class HttpPlacementTest : public testing::Test {
 protected:
  static mcp::Message request(mcp::Method method = mcp::Method::kToolsCall) {
    mcp::Message message;
    message.kind = mcp::MessageKind::kRequest;
    message.method = method;
    return message;
  }
  static mcp::Message notification() {
    mcp::Message message;
    message.kind = mcp::MessageKind::kNotification;
    message.method = mcp::Method::kNotificationsInitialized;
    return message;
  }
  static Instant at(std::int64_t minutes) {
    return {std::chrono::minutes(30'000'000 + minutes), std::chrono::minutes(60 + minutes)};
  }
  static HttpCaller caller(std::string_view session, std::int64_t minutes = 0) {
    HttpCaller caller;
    caller.session_id = session;
    caller.address = "127.0.0.1";
    caller.first_byte = at(minutes);
    return caller;
  }
  static HttpPlacementOptions options(std::size_t most = 8192) {
    HttpPlacementOptions options;
    options.route_names = {"one", "two"};
    options.most_sessions = most;
    return options;
  }

  HashKey key_{{1, 2, 3}};
  SeededRandom random_{1}, other_random_{2};
};

TEST_F(HttpPlacementTest, ReplicasWithOneSecretAndRouteNameDeriveTheSameIds) {
  HttpPlacement a(options(), key_, random_), b(options(), key_, other_random_);
  const auto one = a.place(caller("s"), request(), NotInjected::kNone, at(0));
  const auto two = b.place(caller("s"), request(), NotInjected::kNone, at(0));
  EXPECT_TRUE(one.context.derived);
  EXPECT_EQ(one.context.root_trace_id, two.context.root_trace_id);
  EXPECT_EQ(one.context.root_span_id, two.context.root_span_id);
  EXPECT_EQ(one.context.session_print, two.context.session_print);
  EXPECT_EQ(one.scope, two.scope);
  EXPECT_NE(one.context.span_id, two.context.span_id);
  HttpCaller elsewhere = caller("s");
  elsewhere.route = 1;
  const auto three = b.place(elsewhere, request(), NotInjected::kNone, at(0));
  EXPECT_NE(three.context.root_trace_id, two.context.root_trace_id);
  EXPECT_NE(three.scope, two.scope);
  const HashKey foreign({9});
  HttpPlacement c(options(), foreign, random_);
  EXPECT_NE(c.place(caller("s"), request(), NotInjected::kNone, at(0)).context.root_trace_id,
            one.context.root_trace_id);
}

TEST_F(HttpPlacementTest, TheKeysOfDifferentKindsNeverMeet) {
  HttpPlacement placement(options(), key_, random_);
  HttpCaller by_id = caller("x"), by_endpoint = caller(""), by_header = caller("");
  by_endpoint.endpoint = "x";
  by_header.conversation = "mcp-session-id=x";
  const auto one = placement.place(by_id, request(), NotInjected::kNone, at(0)).context.root_trace_id;
  const auto two = placement.place(by_endpoint, request(), NotInjected::kNone, at(0)).context.root_trace_id;
  const auto three = placement.place(by_header, request(), NotInjected::kNone, at(0)).context.session;
  EXPECT_NE(one, two);
  EXPECT_NE(placement.place(by_id, request(), NotInjected::kNone, at(0)).context.session, three);
}

TEST_F(HttpPlacementTest, ManySessionsTakeBoundedMemoryAndKeepTheirIds) {
  HttpPlacement placement(options(100), key_, random_);
  const auto first = placement.place(caller("0"), request(), NotInjected::kNone, at(0));
  for (int i = 1; i < 5000; ++i) {
    const std::string id = std::to_string(i);
    placement.place(caller(id), request(), NotInjected::kNone, at(0));
    placement.touch(first.stretch, at(0).boot);  // of one that has gone: nobody's
    placement.request_began(first.stretch);
    placement.request_ended(first.stretch);
  }
  const auto again = placement.place(caller("0"), request(), NotInjected::kNone, at(0));
  EXPECT_EQ(again.context.root_trace_id, first.context.root_trace_id);
  EXPECT_EQ(again.context.root_span_id, first.context.root_span_id);
  EXPECT_NE(again.context.session, first.context.session);
}

TEST_F(HttpPlacementTest, TheLeastRecentlyUsedGoesFirst) {
  HttpPlacement placement(options(3), key_, random_);
  const auto serial = [&](const char* id) {
    return placement.place(caller(id), request(), NotInjected::kNone, at(0)).context.session;
  };
  const auto a = serial("a"), b = serial("b"), c = serial("c");
  EXPECT_EQ(serial("a"), a);
  serial("d");  // in b's place
  EXPECT_EQ(serial("c"), c);
  EXPECT_EQ(serial("a"), a);
  EXPECT_NE(serial("b"), b);
}

TEST_F(HttpPlacementTest, OnlyARequestOpensASession) {
  HttpPlacement placement(options(), key_, random_);
  const auto before = placement.place(caller("s"), notification(), NotInjected::kNone, at(0));
  EXPECT_EQ(before.context.session, 0u);
  EXPECT_NE(before.context.session_print, 0u);
  EXPECT_EQ(before.context.parent_id, before.context.root_span_id);
  EXPECT_EQ(placement.place_exchange(caller("s")).context.session, 0u);
  const auto opened = placement.place(caller("s"), request(), NotInjected::kNone, at(0));
  EXPECT_NE(opened.context.session, 0u);
  EXPECT_EQ(opened.context.root_span_id, before.context.root_span_id);
  EXPECT_EQ(placement.place_exchange(caller("s")).context.session, opened.context.session);
  // Of no explicit session: a root of its own.
  const auto alone = placement.place_exchange(caller(""));
  EXPECT_EQ(alone.context.session_print, 0u);
  EXPECT_TRUE(alone.context.parent_id.is_zero());
}

TEST_F(HttpPlacementTest, AGuessedStretchIsOverAfterTheGapUnlessSomethingIsOpen) {
  HttpPlacement placement(options(), key_, random_);
  const auto first = placement.place(caller("", 0), request(), NotInjected::kNone, at(0));
  EXPECT_TRUE(first.guessed);
  placement.request_began(first.stretch);
  EXPECT_EQ(placement.place(caller("", 60), request(), NotInjected::kNone, at(60)).context.session,
            first.context.session);
  placement.request_ended(first.stretch);
  placement.touch(first.stretch, at(100).boot);
  EXPECT_EQ(placement.place(caller("", 129), request(), NotInjected::kNone, at(129)).context.session,
            first.context.session);
  const auto next = placement.place(caller("", 160), request(), NotInjected::kNone, at(160));
  EXPECT_NE(next.context.session, first.context.session);
  EXPECT_EQ(next.context.previous, first.context.session);
  EXPECT_EQ(next.context.session_print, first.context.session_print);
  EXPECT_NE(next.context.root_trace_id, first.context.root_trace_id);
}

TEST_F(HttpPlacementTest, AGuessedStretchHasAtMost5000CallsWhateverIsOpen) {
  HttpPlacement placement(options(), key_, random_);
  const auto place = [&](const mcp::Message& message) {
    return placement.place(caller(""), message, NotInjected::kNone, at(0));
  };
  const auto first = place(request());
  placement.request_began(first.stretch);
  for (int i = 2; i < 4999; ++i) place(request());
  EXPECT_EQ(place(request(mcp::Method::kPing)).context.session, first.context.session);
  EXPECT_EQ(place(request()).context.session, first.context.session) << "4,999";
  EXPECT_EQ(place(request()).context.session, first.context.session) << "5,000";
  EXPECT_EQ(place(notification()).context.session, first.context.session);
  const auto next = place(request(mcp::Method::kPing));
  EXPECT_NE(next.context.session, first.context.session);
  EXPECT_EQ(next.context.previous, first.context.session);
  EXPECT_EQ(next.context.session_print, first.context.session_print);
  EXPECT_NE(next.context.root_trace_id, first.context.root_trace_id);
  placement.request_ended(first.stretch);  // of the last stretch: it is nothing to this one
  for (int i = 1; i <= 5000; ++i) EXPECT_EQ(place(request()).context.session, next.context.session);
  EXPECT_EQ(place(request()).context.previous, next.context.session);
}

TEST_F(HttpPlacementTest, ADerivedStretchIsNeverFull) {
  HttpPlacementOptions two = options();
  two.stretch_calls = 2;
  HttpPlacement placement(two, key_, random_);
  const auto first = placement.place(caller("s"), request(), NotInjected::kNone, at(0)).context.session;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(placement.place(caller("s"), request(), NotInjected::kNone, at(0)).context.session, first);
  }
}

TEST_F(HttpPlacementTest, ADerivedStretchIsOverWithTheDayAndOnlyARequestBeginsTheNext) {
  HttpPlacement placement(options(), key_, random_);
  const auto first = placement.place(caller("s", 0), request(), NotInjected::kNone, at(0));
  const std::int64_t day = 24 * 60;
  EXPECT_EQ(placement.place(caller("s", day), notification(), NotInjected::kNone, at(day)).context.session,
            first.context.session);
  const auto next = placement.place(caller("s", day), request(), NotInjected::kNone, at(day));
  EXPECT_EQ(next.context.previous, first.context.session);
  EXPECT_EQ(next.context.session_print, first.context.session_print);
  EXPECT_EQ(next.scope, first.scope);
  EXPECT_NE(next.context.root_trace_id, first.context.root_trace_id);
}

TEST_F(HttpPlacementTest, WithInjectionOffNothingIsInjectedAndWhyIsSaid) {
  HttpPlacementOptions off = options();
  off.inject = false;
  HttpPlacement placement(off, key_, random_);
  const auto& placed = placement.place(caller("s"), request(), NotInjected::kNone, at(0));
  EXPECT_FALSE(placed.inject);
  EXPECT_EQ(placed.context.not_injected, NotInjected::kOff);
}

TEST_F(HttpPlacementTest, AnInitializeIsPlacedByItsAnswer) {
  HttpPlacement placement(options(), key_, random_);
  const mcp::Message initialize = request(mcp::Method::kInitialize);
  auto held = placement.place_initialize(caller(""), initialize, NotInjected::kNone);
  EXPECT_FALSE(held.inject);
  EXPECT_EQ(held.context.not_injected, NotInjected::kNoSession);
  placement.finish_initialize(caller(""), initialize, "s", HttpPlacement::Initialized::kDone, held);
  const auto next = placement.place(caller("s"), request(), NotInjected::kNone, at(0));
  EXPECT_EQ(held.context.session, next.context.session);
  EXPECT_EQ(held.scope, next.scope);
  EXPECT_EQ(held.context.trace_id, next.context.root_trace_id);
  EXPECT_EQ(held.context.parent_id, next.context.root_span_id);

  auto failed = placement.place_initialize(caller(""), initialize, NotInjected::kNone);
  placement.finish_initialize(caller(""), initialize, "", HttpPlacement::Initialized::kFailed, failed);
  EXPECT_TRUE(failed.own_root);
  EXPECT_NE(failed.context.session, next.context.session);
  EXPECT_EQ(failed.context.parent_id, failed.context.root_span_id);

  auto redirected = placement.place_initialize(caller(""), initialize, NotInjected::kNone);
  placement.finish_initialize(caller(""), initialize, "", HttpPlacement::Initialized::kRedirected, redirected);
  EXPECT_FALSE(redirected.own_root);
  EXPECT_EQ(redirected.context.session, 0u);
  EXPECT_TRUE(redirected.context.parent_id.is_zero());
}

}  // namespace
}  // namespace mcptrace::observe
