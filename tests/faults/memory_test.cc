// W5: want of memory on a relay thread costs telemetry and nothing else. Every allocation that tracing asks for on the
// way of a message fails in its turn; what goes on to the server is whole all the same.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>
#include <utility>
#include <vector>

#include "base/testing.h"
#include "mcp/testing.h"
#include "proxy/tracing.h"
#include "stdio/traced_taps.h"

namespace {

// How many more allocations of this thread succeed while it is armed.
thread_local std::size_t left = 0;
thread_local bool armed = false, failed = false;

void* allocate(std::size_t size) {
  if (armed && left-- == 0) {
    armed = false;
    failed = true;
    throw std::bad_alloc();
  }
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}

void* allocate_or_null(std::size_t size) noexcept {
  try {
    return allocate(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
// All forms: what one of ours gave must not go back to one of the sanitizer's.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate_or_null(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate_or_null(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace mcptrace::faults {
namespace {

constexpr Nanos kPatience = std::chrono::seconds(60);

// As long as one lives, the n-th allocation of this thread fails.
class Without {
 public:
  explicit Without(std::size_t n) {
    left = n;
    failed = false;
    armed = true;
  }
  ~Without() { armed = false; }
};
constexpr std::size_t kNone = ~std::size_t{0};

// The line as it came, or with a context in it and nothing else changed.
bool is_line_or_injected(std::string_view got, std::string_view line) {
  if (got == line) return true;
  constexpr std::string_view kMeta = R"("_meta":{)";
  const auto at = line.find(kMeta);
  if (at == std::string_view::npos || got.size() <= line.size()) return false;
  const std::size_t begin = at + kMeta.size(), added = got.size() - line.size();
  return got.substr(0, begin) == line.substr(0, begin) && got.substr(begin + added) == line.substr(begin) &&
         got.substr(begin).starts_with(R"("traceparent":"00-)");
}

std::string call_line(std::size_t id) {
  const std::string number = std::to_string(id);
  return R"({"jsonrpc":"2.0","id":)" + number +
         R"(,"method":"tools/call","params":{"name":"echo","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","baggage":"session.id=a)" +
         "-conversation-that-no-short-string-holds-" + number + R"("},"arguments":{"x":")" + std::string(100, 'x') +
         "\"}}}\n";
}

class StdioMemory : public testing::Test {
 protected:
  StdioMemory() {
    char path[] = "/tmp/mcptrace-memory-XXXXXX";
    EXPECT_NE(mkdtemp(path), nullptr);
    directory_ = path;
  }
  ~StdioMemory() override { std::filesystem::remove_all(directory_); }

  // What goes on of a line in which the n-th allocation fails.
  static std::string pass(stdio::ClientTap& tap, std::string_view line, std::size_t n = kNone) {
    std::memcpy(tap.room().data(), line.data(), line.size());
    {
      const Without without(n);
      tap.arrived(line.size());
    }
    std::string out;
    while (!tap.ready().empty()) {
      for (const iovec& piece : tap.ready()) out.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
      tap.sent();
    }
    return out;
  }

  std::string directory_;
  const HashKey key_{std::array<std::uint8_t, 32>{1}};
  ManualClock clock_;
  SeededRandom random_{1}, observer_random_{2};
  observe::Activity activity_;
  observe::Acceptance acceptance_;
};

TEST_F(StdioMemory, W5_EveryAllocationThatFailsLosesAFactAndNoByte) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Log log(ends[1]);
  observe::PlacementOptions placing;
  placing.acceptance = &acceptance_;
  observe::Placement placement(placing, key_, random_, activity_);
  observe::ObserverOptions options;
  options.tracer.stdio.service_name = "test";
  options.tracer.first = placement.first();
  options.spool.directory = directory_ + "/spool";
  options.spool.name_prefix = "run";
  observe::Observer observer(options, activity_, clock_, observer_random_, log);
  stdio::TracedClientTap client(key_, true, placement, observer, activity_, clock_);
  ASSERT_TRUE(observer.start());
  std::size_t lost = 0, id = 0;
  do {
    const std::string line = call_line(id);
    const std::string got = pass(client, line, id++);
    EXPECT_TRUE(is_line_or_injected(got, line)) << got;
    lost += failed;
  } while (failed);
  EXPECT_GT(lost, 1u) << "a conversation that is new takes some";
  const std::string line = call_line(id);
  EXPECT_GT(pass(client, line).size(), line.size()) << "it goes on tracing";
  EXPECT_TRUE(observer.finish({}, kPatience));
  close(ends[1]);
  std::string said(4096, '\0');
  const ssize_t size = read(ends[0], said.data(), said.size());
  close(ends[0]);
  said.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  EXPECT_EQ(said, "mcptrace: some messages were not traced (memory ran out); traffic is not affected\n");
}

// Counts what it is told.
struct Facts final : proxy::FactSink {
  void push(const mcp::FactHead& fact, const mcp::Message& message) override {
    begun += fact.http->has(mcp::kBegins);
    const bool was_armed = std::exchange(armed, false);
    if (fact.kind == mcp::FactKind::kMessage) messages.push_back(message.method);
    armed = was_armed;
    ended += fact.http->end != mcp::HttpEnd::kOpen;
  }
  void lose(Nanos) override { ++lost; }
  void passed() override {}
  std::size_t begun = 0, ended = 0, lost = 0;
  std::vector<mcp::Method> messages;  // of a client's requests their methods; of answers none
};

class HttpMemory : public testing::Test {
 protected:
  // What goes on of a request's body in an exchange in which the n-th allocation fails.
  std::string exchange(proxy::ExchangeTap& tap, std::string_view body, std::string_view answer,
                       std::string_view answer_type, std::string_view session, std::size_t n = kNone) {
    const std::string long_value(200, 'v');
    const http::Field fields[] = {{http::FieldName::kContentType, "Content-Type", "application/json"},
                                  {http::FieldName::kMcpSessionId, "Mcp-Session-Id", session},
                                  {http::FieldName::kUserAgent, "User-Agent", long_value},
                                  {http::FieldName::kAuthorization, "Authorization", long_value}};
    http::RequestHead head;
    head.method = "POST";
    head.target = "/mcp";
    head.framing = http::BodyFraming::kLength;
    head.length = body.size();
    head.fields = fields;
    const http::Field answered[] = {{http::FieldName::kContentType, "Content-Type", answer_type},
                                    {http::FieldName::kMcpSessionId, "Mcp-Session-Id", session}};
    http::ResponseHead response;
    response.status = 200;
    response.fields = answered;
    proxy::Rewrite rewrite;
    std::string out(body);
    {
      const Without without(n);
      tap.begin(head, head.target, 0, {"127.0.0.1", 50'000}, clock_.now());
      if (tap.body_wish() == proxy::BodyWish::kWhole) rewrite = tap.whole_body(body, clock_.now());
      const bool was_armed = std::exchange(armed, false);
      if (rewrite.edits != nullptr) out = mcp::apply(body, *rewrite.edits);
      EXPECT_EQ(rewrite.edits != nullptr, !rewrite.traceparent.empty());
      armed = was_armed;
      tap.response(response, clock_.now());
      tap.response_piece(answer, clock_.now());
      tap.end(proxy::ExchangeEnd::kComplete, {}, clock_.now());
    }
    return out;
  }

  const HashKey key_{std::array<std::uint8_t, 32>{1}};
  ManualClock clock_;
  SeededRandom random_{1};
  Facts facts_;
};

struct HttpCase {
  std::string what, body, answer, type;
};

TEST_F(HttpMemory, W5_EveryAllocationThatFailsLosesAnExchangeAndNoByte) {
  const std::string result = R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}]}})";
  const HttpCase cases[] = {
      {"call", call_line(1), result, "application/json"},
      {"call, streamed", call_line(1), "id: 1\ndata: " + result + "\n\nid: 2\n\n", "text/event-stream"},
      {"initialize",
       R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","_meta":{}}})", result,
       "application/json"},
  };
  for (const HttpCase& each : cases) {
    SCOPED_TRACE(each.what);
    proxy::TracingOptions options;
    options.route_names = {"a-route-of-a-name-that-no-short-string-holds"};
    proxy::Tracing tracing(std::move(options), key_, random_, facts_);
    std::size_t n = 0;
    do {
      auto tap = tracing.tap();
      const std::string session = "session-" + std::to_string(n) + std::string(64, 's');
      facts_ = {};
      const std::string got = exchange(*tap, each.body, each.answer, each.type, session, n++);
      EXPECT_TRUE(is_line_or_injected(got, each.body)) << got;
      EXPECT_EQ(facts_.lost, failed ? 1u : 0u);
      EXPECT_EQ(facts_.begun, facts_.ended);
      const bool any = failed;
      facts_ = {};
      // The same connection, and the scanners it gave back, go on, and nothing of what was lost is told in it.
      exchange(*tap, call_line(2), result, "application/json", session);
      EXPECT_EQ(facts_.messages, (std::vector{mcp::Method::kToolsCall, mcp::Method::kNone}));
      EXPECT_EQ(facts_.begun, 1u);
      EXPECT_EQ(facts_.ended, 1u);
      EXPECT_EQ(facts_.lost, 0u);
      failed = any;
    } while (failed);
    EXPECT_GT(n, 3u) << "a new session takes some";
  }
}

}  // namespace
}  // namespace mcptrace::faults
