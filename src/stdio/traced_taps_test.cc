// What the taps hand to the observer, seen by what it writes.
#include "stdio/traced_taps.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <vector>

#include "base/testing.h"
#include "otlp/encode.h"
#include "spool/reader.h"

namespace mcptrace::stdio {
namespace {

constexpr Nanos kPatience = std::chrono::seconds(60);

class TracedTapsTest : public testing::Test {
 protected:
  TracedTapsTest() {
    char path[] = "/tmp/mcptrace-taps-XXXXXX";
    EXPECT_NE(mkdtemp(path), nullptr);
    directory_ = path;
  }
  ~TracedTapsTest() override { std::filesystem::remove_all(directory_); }

  // Every record that this traffic left, in order.
  std::vector<trace::SpanHeader> traced(const std::function<void(ClientTap&, ServerTap&)>& traffic) {
    observe::PlacementOptions placing;
    placing.acceptance = &acceptance_;
    observe::Placement placement(placing, key_, random_, activity_);
    observe::ObserverOptions options;
    options.tracer.stdio.service_name = "test";
    options.tracer.first = placement.first();
    options.spool.directory = directory_;
    options.spool.name_prefix = "run";
    observe::Observer observer(options, activity_, clock_, observer_random_, log_);
    TracedClientTap client(key_, true, placement, observer, activity_, clock_);
    TracedServerTap server(key_, observer, activity_, &acceptance_, clock_);
    EXPECT_TRUE(observer.start());
    traffic(client, server);
    EXPECT_TRUE(observer.finish({}, kPatience));
    std::vector<trace::SpanHeader> headers;
    for (const auto& info : *spool::list_files(directory_)) {
      spool::FileReader reader(info.path);
      while (const auto record = reader.next()) {
        trace::SpanHeader header;
        std::string_view bytes;
        if (record->type != spool::RecordType::kResource && otlp::split_record(record->payload, header, bytes)) {
          headers.push_back(header);
        }
      }
    }
    return headers;
  }

  static void say(ClientTap& client, std::string_view line) {
    std::memcpy(client.room().data(), line.data(), line.size());
    client.arrived(line.size());
    while (!client.ready().empty()) client.sent();
  }
  static void say(ServerTap& server, std::string_view line) {
    server.arrived(line);
    server.passed(line);
  }

  std::string directory_;
  const HashKey key_{std::array<std::uint8_t, 32>{1}};
  ManualClock clock_;  // stands still
  SeededRandom random_{1}, observer_random_{2};
  observe::Activity activity_;
  observe::Acceptance acceptance_;
  Log log_{-1};
};

TEST_F(TracedTapsTest, ALateResultIsAtTheTimeItCame) {
  const auto records = traced([](ClientTap& client, ServerTap& server) {
    say(client, R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}})"
                "\n");
    say(client, R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})"
                "\n");
    say(server, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
  });
  int late = 0;
  for (const trace::SpanHeader& header : records) {
    EXPECT_EQ(std::chrono::floor<std::chrono::microseconds>(header.start), clock_.wall());  // and some nanoseconds
    late += (header.flags & trace::kLateAnswer) != 0;
  }
  EXPECT_EQ(late, 1);
}

TEST_F(TracedTapsTest, ASessionThatAStrayResultOpensBeginsThen) {
  const auto records =
      traced([](ClientTap&, ServerTap& server) { say(server, "{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{}}\n"); });
  EXPECT_FALSE(records.empty());
  for (const trace::SpanHeader& header : records) EXPECT_EQ(header.start, clock_.wall());
}

}  // namespace
}  // namespace mcptrace::stdio
