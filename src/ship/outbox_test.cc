#include "ship/outbox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/testing.h"
#include "otlp/decode.h"
#include "otlp/protobuf.h"

namespace mcptrace::ship {
namespace {

using namespace std::chrono_literals;

ledger::SpanKey key(std::uint8_t number) {
  ledger::SpanKey key;
  key.trace_id.bytes.fill(number);
  key.span_id.bytes.fill(number);
  return key;
}

std::string span(std::uint8_t number) {
  otlp::Span span;
  span.trace_id = key(number).trace_id;
  span.span_id = key(number).span_id;
  span.name = "mcp.tool_call";
  std::string bytes;
  otlp::append_protobuf(span, bytes);
  return bytes;
}

class OutboxTest : public testing::Test {
 protected:
  OutboxTest() { settings_.limits.batch_spans = 8; }
  void add(int spans) {
    for (int i = 0; i < spans; ++i) add_one(static_cast<std::uint8_t>(++last_));
  }
  void add_one(std::uint8_t number) { outbox().add(key(number), "\x0a\x00", span(number), now_); }
  Outbox& outbox() {
    if (!outbox_) outbox_.emplace(settings_, random_);
    return *outbox_;
  }
  static std::set<int> numbers(const Batch& batch) {
    std::set<int> numbers;
    for (const Batch::Span& span : batch.spans()) numbers.insert(span.told.span_id.bytes[0]);
    return numbers;
  }
  // Sends what is due until there is nothing; `judge` says what the receiver does of each batch.
  template <class Judge>
  int send_all(Judge&& judge) {
    int requests = 0;
    while (const Batch* batch = outbox().next(now_, true)) {
      ++requests;
      outbox().done(*batch, judge(*batch), now_, refused_);
    }
    return requests;
  }

  Settings settings_;
  SeededRandom random_{1};
  std::optional<Outbox> outbox_;
  std::vector<Batch> refused_;
  Nanos now_ = 1h;
  int last_ = 0;
};

const auto kTakesAll = [](const Batch&) { return Judgement{.verdict = Verdict::kDelivered}; };
const auto kTakesNone = [](const Batch&) { return Judgement{.verdict = Verdict::kRefused}; };

TEST_F(OutboxTest, ABatchGoesWhenItIsFullOrOldEnough) {
  add(7);
  EXPECT_EQ(outbox().next(now_, false), nullptr);
  EXPECT_EQ(outbox().next_deadline(), now_ + 1s);
  add(2);
  const Batch* const full = outbox().next(now_, false);
  ASSERT_NE(full, nullptr);
  EXPECT_EQ(full->spans().size(), 8u);
  EXPECT_EQ(outbox().next(now_, false), nullptr);
  now_ += 1s;
  const Batch* const old = outbox().next(now_, false);
  ASSERT_NE(old, nullptr);
  EXPECT_EQ(numbers(*old), std::set{9});
  outbox().done(*old, {.verdict = Verdict::kDelivered}, now_, refused_);
  EXPECT_EQ(outbox().undecided().size(), 8u);
  outbox().done(*full, {.verdict = Verdict::kDelivered, .rejected = 3}, now_, refused_);
  EXPECT_TRUE(outbox().empty());
  EXPECT_EQ(outbox().counts().delivered, 6u);
  EXPECT_EQ(outbox().counts().rejected, 3u);
}

TEST_F(OutboxTest, AtMostTwoAreUnderWayAndTwoWait) {
  while (outbox().wants()) add(1);
  EXPECT_EQ(last_, 16);
  ASSERT_NE(outbox().next(now_, false), nullptr);
  ASSERT_NE(outbox().next(now_, false), nullptr);
  while (outbox().wants()) add(1);
  EXPECT_EQ(last_, 32);
  EXPECT_EQ(outbox().next(now_, false), nullptr);
}

TEST_F(OutboxTest, WhatWasReadFirstIsSentFirstAgain) {
  add(32);
  const Batch* const first = outbox().next(now_, false);
  const Batch* const second = outbox().next(now_, false);
  outbox().done(*first, {.verdict = Verdict::kRetry}, now_, refused_);
  outbox().done(*second, {.verdict = Verdict::kTooLarge}, now_, refused_);
  std::vector<int> sent;
  now_ += 1h;
  send_all([&](const Batch& batch) {
    sent.push_back(*numbers(batch).begin());
    return Judgement{.verdict = Verdict::kDelivered};
  });
  EXPECT_EQ(sent, (std::vector{1, 9, 13, 17, 25}));
}

TEST_F(OutboxTest, WhatIsDownIsAskedForByOneRequestEverLater) {
  add(16);
  const Batch* const first = outbox().next(now_, false);
  const Batch* const second = outbox().next(now_, false);
  outbox().done(*first, {.verdict = Verdict::kRetry}, now_, refused_);
  outbox().done(*second, {.verdict = Verdict::kRetry}, now_, refused_);
  Nanos waited{};
  for (int attempt = 0; attempt < 10; ++attempt) {
    const Nanos next = *outbox().next_deadline();
    EXPECT_EQ(outbox().next(next - 1ns, true), nullptr);
    waited = next - now_;
    EXPECT_GE(waited, 5s);
    EXPECT_LE(waited, attempt == 0 ? 7500ms : 90s) << "two that fail together are one failure";
    now_ = next;
    const Batch* const again = outbox().next(now_, true);
    ASSERT_NE(again, nullptr);
    EXPECT_EQ(outbox().next(now_, true), nullptr) << "one at a time";
    outbox().done(*again, {.verdict = Verdict::kRetry}, now_, refused_);
  }
  EXPECT_GE(waited, 60s);
  now_ = *outbox().next_deadline();
  EXPECT_EQ(send_all(kTakesAll), 2);
  EXPECT_EQ(outbox().counts().delivered, 16u);
  EXPECT_TRUE(outbox().pace().is_good());
}

TEST_F(OutboxTest, TheReceiversWishWhenToComeAgainIsGranted) {
  add(8);
  outbox().done(*outbox().next(now_, false), {.verdict = Verdict::kRetry, .retry_after = 20s}, now_, refused_);
  EXPECT_GE(*outbox().next_deadline(), now_ + 20s);
  EXPECT_LE(*outbox().next_deadline(), now_ + 30s);
}

TEST_F(OutboxTest, AWrongAddressIsTriedSlowlyAndNothingIsLost) {
  add(8);
  outbox().done(*outbox().next(now_, false), {.verdict = Verdict::kMisplaced}, now_, refused_);
  EXPECT_GE(*outbox().next_deadline(), now_ + 1min);
  EXPECT_EQ(outbox().undecided().size(), 8u);
  outbox().try_again();
  EXPECT_EQ(send_all(kTakesAll), 1);
  EXPECT_EQ(outbox().counts().delivered, 8u);
}

TEST_F(OutboxTest, WhatIsTooLargeGoesInHalvesAndTheNextAreSmaller) {
  add(16);
  const std::size_t most = span(1).size() * 3;
  settings_.limits.batch_bytes = 1 << 20;
  const auto takes_little = [&](const Batch& batch) {
    return Judgement{.verdict = batch.bytes() > most ? Verdict::kTooLarge : Verdict::kDelivered};
  };
  send_all(takes_little);
  EXPECT_EQ(outbox().counts().delivered, 16u);
  EXPECT_TRUE(refused_.empty());
}

TEST_F(OutboxTest, ASpanThatAloneIsTooLargeIsSetAside) {
  add(8);
  send_all([](const Batch& batch) {
    return Judgement{.verdict = numbers(batch).contains(5) ? Verdict::kTooLarge : Verdict::kDelivered};
  });
  EXPECT_EQ(outbox().counts().delivered, 7u);
  EXPECT_EQ(outbox().counts().set_aside, 1u);
  ASSERT_EQ(refused_.size(), 1u);
  EXPECT_EQ(numbers(refused_[0]), std::set{5});
}

TEST_F(OutboxTest, APoisonedSpanIsFoundAndTheOthersArrive) {
  add(24);
  const auto refuses = [](const Batch& batch) {
    return Judgement{.verdict = numbers(batch).contains(11) ? Verdict::kRefused : Verdict::kDelivered};
  };
  while (const Batch* batch = outbox().next(now_, true)) outbox().done(*batch, refuses(*batch), now_, refused_);
  EXPECT_EQ(outbox().counts().delivered, 23u);
  ASSERT_EQ(refused_.size(), 1u);
  EXPECT_EQ(numbers(refused_[0]), std::set{11});
  EXPECT_TRUE(outbox().pace().is_good());
}

TEST_F(OutboxTest, WhoRefusesEverythingIsAskedFewerQuestions) {
  settings_.limits.batch_spans = 200;
  add(200);
  const int requests = send_all(kTakesNone);
  EXPECT_LE(requests, 60);
  EXPECT_FALSE(outbox().pace().is_good()) << "it waits";
  // And goes on, more slowly, until all is set aside.
  for (int i = 0; i < 100 && !outbox().empty(); ++i) {
    now_ = std::max(now_, outbox().pace().next());
    send_all(kTakesNone);
  }
  EXPECT_TRUE(outbox().empty());
  EXPECT_EQ(outbox().counts().set_aside, 200u);
}

TEST(Batch, IsTheRequestThatItSays) {
  Batch batch;
  std::string resource;
  otlp::append_protobuf(otlp::Resource{{{"service.name", {std::string("files")}}}}, resource);
  batch.add(key(1), resource, span(1));
  batch.add(key(2), "", span(2));
  batch.add(key(3), resource, span(3));
  std::string protobuf, json;
  batch.append_protobuf(protobuf);
  const auto traces = otlp::decode_traces(protobuf);
  ASSERT_TRUE(traces);
  ASSERT_EQ(traces->resources.size(), 2u);
  EXPECT_EQ(traces->resources[0].scopes[0].spans.size(), 2u);
  ASSERT_TRUE(batch.append_json(json));
  EXPECT_TRUE(json.starts_with(R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name")")) << json;
  const auto [first, second] = batch.halves();
  EXPECT_EQ(first.spans().size(), 1u);
  EXPECT_EQ(second.spans().size(), 2u);
  std::string again;
  second.append_protobuf(again);
  EXPECT_EQ(otlp::decode_traces(again)->resources.size(), 2u);
}

}  // namespace
}  // namespace mcptrace::ship
