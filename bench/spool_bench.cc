// What a span costs on its way into the spool: append and flush, in batches as the observer makes them under load, by
// kind of compression; and what it costs to read it back. Counters: stored = bytes on disk for each of the span's own;
// a_span = time for one.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/testing.h"
#include "keep.h"
#include "spool/crc32c.h"
#include "spool/reader.h"
#include "spool/writer.h"

namespace mcptrace::spool {
namespace {

void put_bytes(std::string& out, int field, std::string_view bytes) {
  out.push_back(static_cast<char>(field << 3 | 2));
  out.push_back(static_cast<char>(bytes.size()));
  out.append(bytes);
}

void put_random(std::string& out, int field, std::size_t size, Random& random) {
  std::uint8_t bytes[16];
  random.fill({bytes, size});
  put_bytes(out, field, {reinterpret_cast<const char*>(bytes), size});
}

void put_fixed64(std::string& out, int field, std::uint64_t value) {
  char bytes[8];
  std::memcpy(bytes, &value, sizeof(value));
  out.push_back(static_cast<char>(field << 3 | 1));
  out.append(bytes, sizeof(bytes));
}

void put_attribute(std::string& out, std::string_view key, std::string_view value) {
  std::string attribute;
  put_bytes(attribute, 1, key);
  std::string any;
  put_bytes(any, 1, value);
  put_bytes(attribute, 2, any);
  put_bytes(out, 9, attribute);
}

// A fixed header and a span as OTLP encodes it: about 350 bytes, of which ids and times do not compress.
std::string make_span(std::uint64_t number, Random& random) {
  static constexpr std::string_view kTools[] = {"search", "read_file", "list_directory", "query", "fetch"};
  const std::string_view tool = kTools[random.u64() % std::size(kTools)];
  const std::uint64_t start = 1'790'000'000'000'000'000 + number * 41'337 + random.u64() % 20'000;
  const std::uint64_t duration = 50'000 + random.u64() % 3'000'000;
  std::string body;
  put_random(body, 1, 16, random);
  put_random(body, 2, 8, random);
  put_random(body, 4, 8, random);
  put_bytes(body, 5, std::string("tools/call ").append(tool));
  put_fixed64(body, 7, start);
  put_fixed64(body, 8, start + duration);
  put_attribute(body, "mcp.method.name", "tools/call");
  put_attribute(body, "gen_ai.tool.name", tool);
  put_attribute(body, "jsonrpc.request.id", std::to_string(number));
  put_attribute(body, "network.transport", "pipe");
  put_attribute(body, "mcptrace.size", std::to_string(200 + random.u64() % 2000));
  std::string span(body, 2, 16);  // the header: ids and times again, hashes, sizes
  span.append(body, 20, 8).append(body, 30, 8);
  put_fixed64(span, 0, start);
  put_fixed64(span, 0, duration);
  span.resize(72, '\0');
  return span.append(body);
}

std::vector<std::string> make_spans(std::size_t count) {
  SeededRandom random(1);
  std::vector<std::string> spans;
  for (std::size_t i = 0; i < count; ++i) spans.push_back(make_span(i, random));
  return spans;
}

std::string temporary_directory() {
  std::string name = std::filesystem::temp_directory_path().string() + "/spool-bench-XXXXXX";
  return ::mkdtemp(name.data()) != nullptr ? name : std::string();
}

constexpr std::int64_t kPlain = 100;

// Arguments: zstd's level (100 = plain), spans a flush.
void append_and_flush(benchmark::State& state) {
  const std::string directory = temporary_directory();
  const std::vector<std::string> spans = make_spans(4096);
  const bool plain = state.range(0) == kPlain;
  SystemClock clock;
  WriterOptions options{.directory = directory + "/spool", .total_bytes = 64u << 20};
  if (plain) options.compress_from = ~std::size_t{0};
  if (!plain) options.compress_level = static_cast<int>(state.range(0));
  std::uint64_t number = 0;
  std::uint64_t bytes = 0;
  Writer writer(options, clock);
  for (auto _ : state) {
    for (std::int64_t i = 0; i < state.range(1); ++i, ++number) {
      const std::string& span = spans[number % spans.size()];
      bytes += span.size();
      if (!writer.append(RecordType::kSpan, static_cast<std::uint32_t>(number / 8), span)) std::abort();
    }
    if (!writer.flush()) std::abort();
  }
  const double count = static_cast<double>(number);
  if (writer.counts().records != number) std::abort();
  state.counters["span_bytes"] = static_cast<double>(bytes) / count;
  state.counters["stored"] = static_cast<double>(writer.counts().bytes) / static_cast<double>(bytes);
  state.counters["a_span"] = benchmark::Counter(count, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  std::filesystem::remove_all(directory);
}
BENCHMARK(append_and_flush)->ArgsProduct({{kPlain, 1, -1, -3, -5}, {1, 32, 160, 1600}})->ArgNames({"level", "spans"});

// Argument: level, as above.
void read_back(benchmark::State& state) {
  const std::string directory = temporary_directory();
  const std::vector<std::string> spans = make_spans(4096);
  SystemClock clock;
  WriterOptions options{.directory = directory + "/spool"};
  if (state.range(0) == kPlain) options.compress_from = ~std::size_t{0};
  Writer writer(options, clock);
  for (std::uint32_t i = 0; i < 32'000; ++i) {
    if (!writer.append(RecordType::kSpan, i / 8, spans[i % spans.size()])) std::abort();
  }
  if (!writer.flush()) std::abort();
  std::uint64_t number = 0;
  for (auto _ : state) {
    FileReader reader(writer.path());
    while (reader.next()) ++number;
  }
  state.counters["a_span"] =
      benchmark::Counter(static_cast<double>(number), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  std::filesystem::remove_all(directory);
}
BENCHMARK(read_back)->ArgName("level")->Arg(kPlain)->Arg(1);

void checksum(benchmark::State& state) {
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) keep(crc32c(bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum)->Arg(350)->Arg(65536);

}  // namespace
}  // namespace mcptrace::spool

BENCHMARK_MAIN();
