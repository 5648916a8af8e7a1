#include "ship/shipper.h"

#include <gtest/gtest.h>

#include <csignal>
#include <mutex>

#include "base/testing.h"
#include "client/test_server.h"
#include "ledger/testing_sample.h"
#include "otlp/decode.h"
#include "ship/presets.h"
#include "spool/spool_testing.h"
#include "spool/writer.h"

namespace mcptrace::ship {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kTaken = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view kLater = "HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n";

// Takes spans, and answers as it is told: with the text that `answer` gives for the request of that number; an empty
// one ends the connection.
class Receiver {
 public:
  using Answer = std::function<std::string(std::size_t number)>;
  explicit Receiver(Answer answer = [](std::size_t) { return std::string(kTaken); }) : answer_(std::move(answer)) {}

  [[nodiscard]] std::string url() const { return server_.url(); }
  [[nodiscard]] std::size_t requests() const {
    const std::scoped_lock lock(mutex_);
    return number_;
  }
  // Of those that were taken.
  [[nodiscard]] std::vector<otlp::Span> spans() const {
    const std::scoped_lock lock(mutex_);
    return spans_;
  }

 private:
  void serve(client::Peer& peer) {
    for (;;) {
      const std::string request = peer.read_request();
      if (request.empty()) return;
      const std::string answer = take(request);
      if (answer.empty()) return;
      peer.write(answer);
    }
  }

  std::string take(const std::string& request) {
    const std::scoped_lock lock(mutex_);
    std::string answer = answer_(++number_);
    const auto traces = otlp::decode_traces(std::string_view(request).substr(request.find("\r\n\r\n") + 4));
    EXPECT_TRUE(traces);
    if (!traces || answer != kTaken) return answer;
    for (const otlp::ResourceSpans& resource : traces->resources) {
      for (const otlp::ScopeSpans& scope : resource.scopes) {
        spans_.insert(spans_.end(), scope.spans.begin(), scope.spans.end());
      }
    }
    return answer;
  }

  Answer answer_;
  mutable std::mutex mutex_;
  std::size_t number_ = 0;
  std::vector<otlp::Span> spans_;
  client::TestServer server_{[this](client::Peer& peer) { serve(peer); }};
};

std::size_t named(const std::vector<otlp::Span>& spans, std::string_view name) {
  return static_cast<std::size_t>(std::ranges::count(spans, name, &otlp::Span::name));
}

class ShipperTest : public testing::Test {
 protected:
  ShipperTest() {
    std::signal(SIGPIPE, SIG_IGN);
    clock_.set({sample_.options().start + 1s, 1h});
  }

  // A session of so many calls; open until close().
  void write(int calls) {
    sample_.open();
    sample_.initialize(1ms, 1ms);
    for (int i = 0; i < calls; ++i) sample_.call("echo", 2ms * (i + 1), 1ms);
    EXPECT_TRUE(writer_.flush());
  }
  void close(Nanos at) {
    sample_.close(at);
    EXPECT_TRUE(writer_.flush());
  }

  static Settings settings(const Receiver& receiver) {
    Settings settings;
    settings.name = "one";
    settings.url = receiver.url();
    settings.compression = config::Compression::kNone;
    return settings;
  }
  std::unique_ptr<Shipper> open(Settings settings) {
    auto shipper = Shipper::open(std::move(settings), place_, "");
    EXPECT_TRUE(shipper) << shipper.error().message;
    return *std::move(shipper);
  }
  // Until the receiver has answered all that is under way, and then what that leads to.
  void turn(Shipper& shipper, bool changed = false) {
    shipper.pump(changed, true);
    while (client_.under_way() != 0) client_.run(10s);
  }
  // Until all is delivered; time passes as fast as somebody waits for it.
  void drain(Shipper& shipper) {
    turn(shipper, true);
    for (int i = 0; i < 1000 && !shipper.done(); ++i) {
      if (const auto next = shipper.next_deadline()) clock_.advance(std::max<Nanos>(*next - clock_.boot(), 1ms));
      turn(shipper);
    }
    EXPECT_TRUE(shipper.done());
  }

  spool::TempDirectory temp_;
  ManualClock clock_;
  SeededRandom random_{1};
  HashKey key_{std::array<std::uint8_t, 32>{}};
  client::Client client_{[](std::string_view) { return std::nullopt; }};
  Compressor compressor_;
  Result<std::string> secret_ = "secret";
  Place place_{temp_.path() + "/state",
               key_,
               clock_,
               random_,
               client_,
               compressor_,
               [this](const std::string&) { return secret_; }};
  spool::Writer writer_{{.directory = temp_.spool()}, clock_};
  ledger::Sample sample_{[this](spool::RecordType type, std::uint32_t tag, std::string_view payload) {
    EXPECT_TRUE(writer_.append(type, tag, payload));
  }};
};

TEST_F(ShipperTest, SendsAllAndKeepsItsPlace) {
  write(5);
  close(1s);
  const Receiver receiver;
  auto shipper = open(settings(receiver));
  drain(*shipper);
  EXPECT_EQ(receiver.spans().size(), 7u);  // with the handshake and the root
  EXPECT_EQ(shipper->status().delivered, 7u);
  shipper = open(settings(receiver));
  drain(*shipper);
  EXPECT_EQ(receiver.requests(), 1u);
  EXPECT_EQ(shipper->status().delivered, 7u);
}

TEST_F(ShipperTest, WhatHasNoAnswerIsSentAgainByWhoeverComes) {
  write(4);
  close(1s);
  const Receiver receiver([](std::size_t number) { return std::string(number % 2 == 0 ? kTaken : kLater); });
  Settings one = settings(receiver);
  one.limits.batch_spans = 1;
  auto shipper = open(one);
  turn(*shipper, true);  // two requests, of which one is taken
  shipper->save();
  EXPECT_EQ(shipper->status().delivered, 1u);
  shipper = open(one);
  drain(*shipper);
  EXPECT_EQ(receiver.spans().size(), 6u);  // each once
  EXPECT_EQ(shipper->status().delivered, 6u);
}

TEST_F(ShipperTest, WhoeverGoesWithoutSavingHasItSentTwice) {
  write(4);
  close(1s);
  const Receiver receiver;
  Settings one = settings(receiver);
  one.limits.batch_spans = 2;
  auto shipper = open(one);
  turn(*shipper, true);
  const std::size_t before = receiver.spans().size();
  shipper = open(one);
  drain(*shipper);
  EXPECT_EQ(receiver.spans().size(), before + 6);
}

TEST_F(ShipperTest, TheCursorIsSavedWhileOthersWait) {
  write(8);
  const Receiver receiver([](std::size_t number) { return std::string(number <= 4 ? kTaken : kLater); });
  Settings one = settings(receiver);
  one.limits.batch_spans = 1;
  auto shipper = open(one);
  for (int i = 0; i < 5; ++i) {
    turn(*shipper, i == 0);
    clock_.advance(1s);
  }
  // Its last save was of the last second, and by itself.
  EXPECT_GE(read_status(directory_of(temp_.path() + "/state", "one"))->delivered, 4u);
  EXPECT_FALSE(shipper->does_well());
  EXPECT_FALSE(shipper->done());
}

TEST_F(ShipperTest, WhatIsLateIsCounted) {
  write(3);
  close(1s);
  clock_.advance(2h);
  const Receiver receiver;
  Settings one = settings(receiver);
  one.max_age = 1h;
  auto shipper = open(one);
  drain(*shipper);
  EXPECT_EQ(shipper->status().late, 5u);
  EXPECT_EQ(receiver.spans().size(), 5u);
  one.name = "two";
  one.ships_older = false;
  shipper = open(one);
  drain(*shipper);
  EXPECT_EQ(shipper->status().late, 5u);
  EXPECT_EQ(shipper->status().delivered, 0u);
  EXPECT_EQ(receiver.spans().size(), 5u);
}

// Of another process, which writes while an hour's backlog goes out.
TEST_F(ShipperTest, WhatIsNewDoesNotWaitBehindABacklog) {
  write(0);
  for (int i = 0; i < 200; ++i) {
    sample_.call("echo", 2ms * (i + 1), 1ms);
    EXPECT_TRUE(writer_.flush());  // blocks are told whole
  }
  close(1s);
  clock_.advance(1h);
  spool::Writer writer({.directory = temp_.spool()}, clock_);
  ledger::SampleOptions options;
  options.seed = 2;
  options.start = clock_.wall();
  ledger::Sample sample([&](spool::RecordType type, std::uint32_t tag,
                            std::string_view payload) { EXPECT_TRUE(writer.append(type, tag, payload)); },
                        options);
  sample.open();
  sample.call("fresh", 0ms, 1ms);
  EXPECT_TRUE(writer.flush());
  const auto delivered_before_it = [&](double share, std::string name) {
    const Receiver receiver;
    Settings one = settings(receiver);
    one.name = std::move(name);
    one.limits.batch_spans = 10;
    one.fresh_share = share;
    const auto shipper = open(one);
    drain(*shipper);
    const std::vector<otlp::Span> spans = receiver.spans();
    EXPECT_EQ(spans.size(), 203u);
    const auto is_fresh = [](const otlp::Span& span) {
      const auto* tool = span.attribute("mcp.tool_name");
      return tool != nullptr && *tool->string() == "fresh";
    };
    return std::ranges::find_if(spans, is_fresh) - spans.begin();
  };
  EXPECT_LT(delivered_before_it(0.5, "shares"), 60);
  EXPECT_GE(delivered_before_it(0, "does-not"), 200);
}

TEST_F(ShipperTest, SpansAreCutToWhatTheReceiverTakes) {
  write(3);
  close(1s);
  const Receiver receiver;
  Settings one = settings(receiver);
  one.limits.attribute_bytes = 4;
  one.limits.attribute_count = 3;
  auto shipper = open(one);
  drain(*shipper);
  const auto spans = receiver.spans();
  ASSERT_EQ(spans.size(), 5u);
  EXPECT_EQ(shipper->status().cut, 5u);
  for (const otlp::Span& span : spans) {
    EXPECT_LE(span.attributes.size(), 3u);
    EXPECT_GT(span.dropped_attributes, 0u);
    for (const auto& [name, value] : span.attributes) {
      if (const std::string* const text = std::get_if<std::string>(&value.v)) EXPECT_LE(text->size(), 4u) << name;
    }
  }
}

TEST_F(ShipperTest, WithoutItsSecretNothingIsSentAndNothingLost) {
  write(3);
  close(1s);
  const Receiver receiver;
  Settings one = settings(receiver);
  one.headers.push_back({"x-key", "env:KEY", HeaderSetting::Form::kReference});
  auto shipper = open(one);
  secret_ = std::unexpected(Error{Errc::kNotFound, "KEY is not set"});
  turn(*shipper, true);
  EXPECT_FALSE(shipper->does_well());
  EXPECT_EQ(shipper->status().error, "x-key: KEY is not set");
  EXPECT_EQ(receiver.requests(), 0u);
  secret_ = "secret";
  shipper->try_again();
  drain(*shipper);
  EXPECT_EQ(receiver.spans().size(), 5u);
}

TEST_F(ShipperTest, WhoIsStoppedSendsNoMoreAndEndsWithTheLastAnswer) {
  write(5);
  close(1s);
  const Receiver receiver;
  Settings one = settings(receiver);
  one.limits.batch_spans = 1;
  auto shipper = open(one);
  shipper->pump(true, true);
  shipper->stop();
  EXPECT_FALSE(shipper->stopped());
  while (!shipper->stopped()) client_.run(10s);
  shipper->pump(true, true);
  shipper->save();
  const std::size_t sent = receiver.requests();
  EXPECT_LE(sent, 2u);
  shipper = open(one);
  drain(*shipper);
  EXPECT_EQ(receiver.spans().size(), 7u);
  EXPECT_EQ(receiver.requests(), 7u);
}

TEST_F(ShipperTest, ARootThatCannotWaitIsSentOnceAndThenItsEnd) {
  write(2);
  const Receiver receiver;
  auto shipper = open(settings(receiver));
  drain(*shipper);
  EXPECT_EQ(named(receiver.spans(), trace::kRootName), 0u);
  clock_.advance(11min);
  drain(*shipper);
  EXPECT_EQ(named(receiver.spans(), trace::kRootName), 1u);
  shipper = open(settings(receiver));
  drain(*shipper);
  clock_.advance(11min);
  drain(*shipper);
  EXPECT_EQ(named(receiver.spans(), trace::kRootName), 1u);
  EXPECT_EQ(receiver.spans().size(), 4u);
  close(25min);
  drain(*shipper);
  EXPECT_EQ(named(receiver.spans(), trace::kRootName), 1u);
  EXPECT_EQ(named(receiver.spans(), "agent_session.end"), 1u);
}

}  // namespace
}  // namespace mcptrace::ship
