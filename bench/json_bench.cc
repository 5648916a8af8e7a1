// What the scanner costs a message, in nanoseconds a KiB, with a handler that reads what a trace needs: every kernel,
// and messages that are easy (plain) and hard (escaped, dense). Goal: 200 ns a KiB.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json/scanner.h"

namespace mcptrace::json {
namespace {

// Enters the root, params, _meta and the like; takes id, method and name.
class Reader {
 public:
  Step on_value(const Key& key, Kind kind, std::uint64_t) {
    if (kind == Kind::kObject) return level_ == 0 || is_entered(key.text) ? (++level_, Step::kEnter) : Step::kSkip;
    if (kind == Kind::kArray || !is_taken(key.text)) return Step::kSkip;
    return Step::kText;
  }
  void on_text(std::string_view piece) {
    const std::size_t size = std::min(piece.size(), sizeof(text_) - size_);
    std::memcpy(text_ + size_, piece.data(), size);
    size_ += size;
  }
  void on_end(Kind kind, std::uint64_t) { kind == Kind::kObject ? void(--level_) : void(); }
  std::size_t take() { return std::exchange(size_, 0); }

 private:
  static bool is_entered(std::string_view key) {
    return key == "params" || key == "_meta" || key == "result" || key == "error";
  }
  static bool is_taken(std::string_view key) {
    return key == "id" || key == "method" || key == "name" || key == "isError";
  }

  int level_ = 0;
  std::size_t size_ = 0;
  char text_[256] = {};
};

using Random = std::minstd_rand;

std::string plain_text(Random& random, std::size_t size) {
  std::string text;
  while (text.size() < size) text += std::string(1 + random() % 9, static_cast<char>('a' + random() % 26)) + " ";
  return "{\"text\":\"" + text + "\"}";
}

std::string escaped_text(Random& random, std::size_t size) {
  std::string text;
  while (text.size() < size) {
    text += "{\\\"" + std::string(1 + random() % 7, 'k') + "\\\":\\\"a\\\\\\\\b\\n" + std::string(random() % 5, 'v') +
            "\\\"},";
  }
  return "{\"text\":\"" + text + "\"}";
}

std::string dense_values(Random& random, std::size_t size) {
  std::string values;
  while (values.size() < size) {
    values += "{\"" + std::string(1, static_cast<char>('a' + random() % 26)) + "\":" + std::to_string(random() % 1000) +
              ",\"b\":[" + std::to_string(random() % 100) + ",{\"x\":" + (random() % 2 == 0 ? "true" : "{}") + "}]},";
  }
  return "{\"rows\":[" + values + "0]}";
}

using Payload = std::string (*)(Random&, std::size_t);

std::string call(Random& random, Payload payload, std::size_t size) {
  const std::string head = "{\"jsonrpc\":\"2.0\",\"id\":" + std::to_string(random() % 100000) +
                           ",\"method\":\"tools/call\",\"params\":{\"name\":\"search_documents\",\"arguments\":";
  const std::string tail = ",\"_meta\":{\"progressToken\":7}}}";
  return head + payload(random, size - std::min(size, head.size() + tail.size() + 20)) + tail;
}

std::string result(Random& random, Payload payload, std::size_t size) {
  const std::string head =
      "{\"jsonrpc\":\"2.0\",\"id\":" + std::to_string(random() % 100000) + ",\"result\":{\"content\":[";
  const std::string tail = "],\"isError\":false}}";
  return head + payload(random, size - std::min(size, head.size() + tail.size() + 20)) + tail;
}

using Message = std::string (*)(Random&, Payload, std::size_t);

void scan_messages(benchmark::State& state, const Kernel& kernel, Message message, Payload payload, std::size_t size) {
  // Different ones in turn: a processor learns the branches of a single message by heart.
  Random random(1);
  std::vector<std::string> messages;
  std::size_t bytes = 0;
  const std::size_t count = std::max<std::size_t>(4, 128 * 1024 / size);  // so that they stay in the nearer caches
  for (std::size_t i = 0; i < count; ++i) {
    messages.push_back(message(random, payload, size));
    bytes += messages.back().size();
  }
  Reader reader;
  Scanner<Reader> scanner(reader, kernel);
  for (auto _ : state) {
    for (const std::string& each : messages) {
      scanner.feed(each);
      if (scanner.finish() != Shape::kComplete || reader.take() == 0) state.SkipWithError("not read");
      scanner.reset();
    }
  }
  using benchmark::Counter;
  const auto rounds = static_cast<double>(state.iterations());
  state.counters["per_KiB"] = Counter(static_cast<double>(bytes) / 1024 * rounds, Counter::kIsRate | Counter::kInvert);
  state.counters["per_message"] =
      Counter(static_cast<double>(messages.size()) * rounds, Counter::kIsRate | Counter::kInvert);
}

struct Case {
  const char* name;
  Message message;
  Payload payload;
  std::size_t size;
};

constexpr Case kCases[] = {
    {"call_plain", call, plain_text, 1024},        {"call_escaped", call, escaped_text, 1024},
    {"call_dense", call, dense_values, 1024},      {"result_plain", result, plain_text, 1024},
    {"result_dense", result, dense_values, 1024},  {"call_short", call, plain_text, 200},
    {"call_64k_plain", call, plain_text, 65536},   {"call_64k_escaped", call, escaped_text, 65536},
    {"call_64k_dense", call, dense_values, 65536},
};

void register_all() {
  for (const Kernel& kernel : kernels()) {
    for (const Case& each : kCases) {
      benchmark::RegisterBenchmark(
          ("scan/" + std::string(kernel.name) + "/" + each.name).c_str(),
          [&](benchmark::State& state) { scan_messages(state, kernel, each.message, each.payload, each.size); });
    }
  }
}

}  // namespace
}  // namespace mcptrace::json

int main(int argc, char** argv) {
  mcptrace::json::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
