#include "program_rig.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <unordered_set>

#include "otlp/encode.h"
#include "spool/reader.h"

namespace mcptrace::faults {

using spool::RecordType;
using std::chrono::steady_clock;

Home::Home() {
  const std::string base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : std::filesystem::temp_directory_path().string();
  path_ = base + "/program-faults-XXXXXX";
  EXPECT_NE(nullptr, mkdtemp(path_.data()));
}

Home::~Home() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Session start_run(const std::string& home, const Run& run) {
  std::vector<std::string> words = {MCPTRACE_PROGRAM, "run"};
  if (!run.inject) words.emplace_back("--no-inject");
  words.emplace_back("--");
  words.emplace_back(FAULTS_CHILD);
  words.insert(words.end(), run.server.begin(), run.server.end());
  const auto prepare = [home, more = run.prepare] {
    setenv("MCPTRACE_HOME", home.c_str(), 1);
    for (const char* name : {"MCPTRACE_DISABLED", "OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "TRACEPARENT",
                             "OTEL_EXPORTER_OTLP_ENDPOINT"}) {
      unsetenv(name);
    }
    if (more) more();
  };
  return Session(Way::kDirect, words, {.prepare = prepare});
}

std::string tool_call(std::uint64_t id, std::string_view tool) {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":"tools/call","params":{"name":")" +
         std::string(tool) + "\"}}\n";
}

std::string answer(std::uint64_t id) { return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + ",\"result\":{}}\n"; }

bool make_call(Session& session, std::uint64_t id) {
  return session.put(tool_call(id)) && session.take_line() + "\n" == answer(id);
}

bool make_calls(Session& session, std::uint64_t first, std::uint64_t count, std::string* sent) {
  constexpr std::uint64_t kInFlight = 256;  // less than a pipe holds, both ways
  for (std::uint64_t id = first; id < first + count;) {
    std::string out, back;
    for (const std::uint64_t end = std::min(id + kInFlight, first + count); id < end; ++id) {
      out += tool_call(id);
      back += answer(id);
    }
    if (sent) *sent += out;
    if (!session.put(out) || session.take(back.size()) != back) return false;
  }
  return true;
}

std::optional<int> leave_and_wait(Session& session) {
  session.end_input();
  return session.wait();
}

std::vector<std::string> own_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("mcptrace: ")) lines.push_back(line);
  }
  return lines;
}

std::uint64_t peak_kib(pid_t pid) {
  const auto status = read_file("/proc/" + std::to_string(pid) + "/status", 1 << 16);
  const std::size_t at = status ? status->find("VmHWM:") : std::string::npos;
  EXPECT_NE(at, std::string::npos) << pid;
  return at == std::string::npos ? ~0ull : std::strtoull(status->c_str() + at + 6, nullptr, 10);
}

void expect_peak_below(pid_t pid, std::uint64_t kib) {
  const std::uint64_t peak = peak_kib(pid);
  testing::Test::RecordProperty("peak_kib", std::to_string(peak));
  if (!instrumented()) {
    EXPECT_LT(peak, kib);
  }
}

bool eventually(const std::function<bool()>& condition, milliseconds limit) {
  const auto start = steady_clock::now();
  while (!condition()) {
    if (since(start) > limit) return false;
    poll(nullptr, 0, 2);
  }
  return true;
}

SpoolSize read_spool(const std::string& directory, const std::function<void(const Stored&)>& use) {
  SpoolSize size;
  const auto files = spool::list_files(directory);
  EXPECT_TRUE(files) << files.error().message;
  if (!files) return size;
  for (const spool::FileInfo& file : *files) {
    ++size.files;
    size.locked += file.locked;
    spool::FileReader reader(file.path);
    while (const auto record = reader.next()) {
      if (record->type == RecordType::kResource || record->type == RecordType::kCounters ||
          record->type == RecordType::kDestination) {
        continue;
      }
      Stored stored{.type = record->type, .header = {}, .span = {}};
      std::string_view bytes;
      EXPECT_TRUE(otlp::split_record(record->payload, stored.header, bytes));
      auto span = otlp::decode_span(bytes);
      EXPECT_TRUE(span) << span.error().message;
      if (span) stored.span = *std::move(span);
      use(stored);
    }
    EXPECT_FALSE(reader.error()) << reader.error()->message;
    EXPECT_EQ(reader.skipped().unsupported, 0u);
    size.damaged_places += reader.skipped().places;
  }
  return size;
}

std::string text_of(const otlp::Span& span, trace::Attr key) {
  const otlp::Value* value = span.attribute(trace::attr_key(key));
  if (value == nullptr) return "";
  if (value->string() != nullptr) return *value->string();
  return value->integer() != nullptr ? std::to_string(*value->integer()) : "";
}

std::int64_t number_of(const otlp::Span& span, trace::Attr key) {
  const otlp::Value* value = span.attribute(trace::attr_key(key));
  return value != nullptr && value->integer() != nullptr ? *value->integer() : 0;
}

std::optional<std::uint64_t> call_id(const Stored& stored) {
  if (stored.header.operation != trace::Operation::kToolCall) return std::nullopt;
  const std::string text = text_of(stored.span, trace::Attr::kRequestId);
  if (text.empty()) return std::nullopt;
  return std::strtoull(text.c_str(), nullptr, 10);
}

Account::Account(const std::string& directory, std::uint64_t ids) : spans(ids) {
  std::unordered_set<SpanId> seen;
  size = read_spool(directory, [&](const Stored& stored) {
    const bool is_root = (stored.header.flags & trace::kRootSpan) != 0;
    closes += stored.type == RecordType::kSessionClose;
    calls_open += stored.type == RecordType::kCallOpen;
    if (stored.type != RecordType::kSpan) return;
    repeated_spans += !seen.insert(stored.header.span_id).second;
    if (is_root) {
      ++roots;
      const auto count = [&](trace::Attr key) { return static_cast<std::uint64_t>(number_of(stored.span, key)); };
      dropped += count(trace::Attr::kDropped);
      not_json_lines += count(trace::Attr::kNotJsonLines);
      not_json_bytes += count(trace::Attr::kNotJsonBytes);
      return;
    }
    const auto id = call_id(stored);
    if (!id) return;
    ++calls;
    abandoned += stored.header.outcome == trace::Outcome::kAbandoned;
    unobserved += stored.header.outcome == trace::Outcome::kUnobserved;
    if (*id < spans.size()) ++spans[*id];
  });
}

void Account::expect_all(std::uint64_t count) const {
  EXPECT_EQ(size.damaged_places, 0u);
  EXPECT_EQ(size.locked, 0u);
  EXPECT_EQ(repeated_spans, 0u);
  EXPECT_EQ(std::ranges::count_if(spans, [](std::uint8_t times) { return times > 1; }), 0);
  EXPECT_LE(calls, count);
  EXPECT_GE(calls + dropped, count);
}

}  // namespace mcptrace::faults
