// The observer's work for one tool call, without its thread: two facts unpacked, paired, built, encoded, appended to a
// spool.
#include <benchmark/benchmark.h>

#include <filesystem>
#include <vector>

#include "base/testing.h"
#include "keep.h"
#include "observe/recorder.h"

namespace {

using namespace mcptrace;

struct NullSink final : observe::RecordSink {
  void resource(std::span<const std::pair<std::string, std::string>>) override {}
  void record(spool::RecordType, const trace::SpanHeader& header, const trace::SpanRecord&) override { keep(header); }
};

struct Facts {
  Facts() {
    SeededRandom random(1);
    request.at = {std::chrono::hours(500'000), std::chrono::hours(5)};
    request.message.kind = mcp::MessageKind::kRequest;
    request.message.method = mcp::Method::kToolsCall;
    request.message.bytes = answer.message.bytes = 1024;
    request.message[mcp::Text::kName] = "echo";
    request.context.session = 1;
    request.context.root_trace_id = request.context.trace_id = random.trace_id();
    request.context.root_span_id = request.context.parent_id = random.span_id();
    request.context.flags = 3;
    request.trace_state = "ot=rv:0123456789abcd";
    answer.message.direction = mcp::Direction::kServerToClient;
    answer.message.kind = mcp::MessageKind::kResult;
  }
  void number(std::uint64_t id, Random& random) {
    request.message.id = answer.message.id = {mcp::IdType::kInteger, id * 0x9e3779b97f4a7c15u, id};
    request.context.span_id = random.span_id();
    request.at.boot += std::chrono::microseconds(3);
    request.at.wall += std::chrono::microseconds(3);
    answer.at.boot = request.at.boot + std::chrono::microseconds(20);
  }
  mcp::Fact request, answer;
};

void feed(benchmark::State& state, observe::Tracer& tracer) {
  SeededRandom random(3);
  std::vector<Facts> flight(32);
  std::vector<std::uint64_t> record(512);
  char* const place = reinterpret_cast<char*>(record.data());
  const auto pass = [&](const mcp::Fact& fact) {
    const mcp::Packing packing(fact);
    packing.write(place);
    tracer.feed(mcp::unpack({place, packing.size()}));
  };
  std::uint64_t id = 0;
  for (auto _ : state) {
    for (Facts& facts : flight) facts.number(++id, random), pass(facts.request);
    for (Facts& facts : flight) pass(facts.answer);
  }
  state.SetItemsProcessed(state.iterations() * 32);
}

void tracer_only(benchmark::State& state) {
  SeededRandom random(2);
  observe::Activity activity;
  NullSink sink;
  observe::Tracer tracer({}, random, activity, sink);
  feed(state, tracer);
}
BENCHMARK(tracer_only);

void to_spool(benchmark::State& state) {
  const std::string directory = std::filesystem::temp_directory_path() / "mcptrace-observe-bench";
  std::filesystem::remove_all(directory);
  SeededRandom random(2);
  SystemClock clock;
  Log log(2);
  observe::Activity activity;
  spool::WriterOptions options;
  options.directory = directory;
  options.total_bytes = 64u << 20;
  options.compress_level = static_cast<int>(state.range(0));
  if (state.range(0) == 0) options.compress_from = ~std::size_t{0};
  {
    observe::Recorder recorder(options, trace::Naming::kBoth, "i", clock, log);
    observe::Tracer tracer({}, random, activity, recorder);
    recorder.set_tracer(&tracer);
    feed(state, tracer);
    recorder.flush();
  }
  std::filesystem::remove_all(directory);
}
BENCHMARK(to_spool)->ArgName("level")->Arg(0)->Arg(1)->Arg(-1)->Arg(-3)->Arg(-5)->Arg(-7);

}  // namespace
