// What a message costs in the relay: framing and scanning it, splicing a context into it, handing its fact over.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "keep.h"
#include "mcp/client_framer.h"
#include "mcp/fact.h"
#include "mcp/server_framer.h"
#include "mcp/splice.h"
#include "mcp/sse_framer.h"

namespace mcptrace::mcp {
namespace {

constexpr std::string_view kTraceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const HashKey& test_key() {
  static const HashKey key({});
  return key;
}

// A tools/call of `size` bytes.
std::string call_line(std::size_t size) {
  const std::string head = R"({"jsonrpc":"2.0","id":4711,"method":"tools/call","params":{"name":"read_file",)"
                           R"("arguments":{"path":"/src/main.cc","text":")";
  const std::string tail = "\"},\"_meta\":{\"progressToken\":4711}}}\n";
  std::string line = head;
  while (line.size() + tail.size() < size) line += "some words, and then some more. ";
  line.resize(std::max(line.size(), size) - tail.size());
  return line + tail;
}

std::string answer_line(std::size_t size) {
  const std::string tail = "\"}],\"isError\":false}}\n";
  std::string line = R"({"jsonrpc":"2.0","id":4711,"result":{"content":[{"type":"text","text":")";
  while (line.size() + tail.size() < size) line += "void f(int a);\\n  \\\"quoted\\\" ";
  line.resize(size - tail.size());
  if (line.ends_with('\\')) line.back() = ' ';
  return line + tail;
}

void run_client(benchmark::State& state, bool inject) {
  const std::string line = call_line(static_cast<std::size_t>(state.range(0)));
  ClientFramer framer(test_key(), inject);
  for (auto _ : state) {
    std::memcpy(framer.room().data(), line.data(), line.size());
    framer.arrived(line.size(), {});
    while (framer.next() != nullptr) framer.inject({kTraceparent, "ot=rv:0123456789abcd"});
    keep(framer.ready().data());
    framer.sent();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(line.size()));
}
void client_call_inject(benchmark::State& state) { run_client(state, true); }
void client_call_plain(benchmark::State& state) { run_client(state, false); }
BENCHMARK(client_call_inject)->Arg(1 << 10)->Arg(16 << 10);
BENCHMARK(client_call_plain)->Arg(200)->Arg(1 << 10)->Arg(16 << 10);

void pass(benchmark::State& state, std::string_view line) {
  std::uint64_t bytes = 0;
  ServerFramer framer(test_key());
  for (auto _ : state) {
    framer.passed(line);
    while (const Found* found = framer.next()) bytes += found->message != nullptr ? found->message->bytes : 0;
  }
  keep(bytes);
}

void server_answer(benchmark::State& state) {
  const std::string line = answer_line(static_cast<std::size_t>(state.range(0)));
  pass(state, line);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(line.size()));
}
BENCHMARK(server_answer)->Arg(200)->Arg(1 << 10)->Arg(64 << 10);

// The same answer as server_answer's, in an event.
void server_event(benchmark::State& state) {
  const std::string event =
      "event: message\nid: 6f1c_17\ndata: " + answer_line(static_cast<std::size_t>(state.range(0))) + "\n";
  std::uint64_t bytes = 0;
  SseFramer framer(test_key());
  for (auto _ : state) {
    framer.passed(event);
    while (const SseFound found = framer.next()) bytes += found.event != nullptr ? found.event->bytes : 0;
  }
  keep(bytes);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(event.size()));
}
BENCHMARK(server_event)->Arg(200)->Arg(1 << 10)->Arg(64 << 10);

void tools_list(benchmark::State& state) {
  std::string line = R"({"jsonrpc":"2.0","id":2,"result":{"tools":[)";
  for (int i = 0; i < 50; ++i) {
    line += i == 0 ? "" : ",";
    line += R"({"name":"tool_)" + std::to_string(i) +
            R"(","description":"Reads a thing, and then another.","inputSchema":{"type":"object","properties":{}}})";
  }
  line += "]}}\n";
  pass(state, line);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(line.size()));
}
BENCHMARK(tools_list);

// A tools/call that was scanned. The scanner holds its strings.
struct Call {
  Call() {
    scanner.feed(line);
    scanner.end_line(line.size());
    found = scanner.next();
    fact.message = *found->message;
    fact.trace_state = "ot=rv:0123456789abcd";
  }
  const std::string line = call_line(1 << 10);
  MessageScanner scanner{Direction::kClientToServer, test_key()};
  const Found* found = nullptr;
  Fact fact;
};

void splice_plan(benchmark::State& state) {
  const Call call;
  Edits edits;
  for (auto _ : state) {
    plan_splice(*call.found->map, {kTraceparent, "ot=rv:0123456789abcd"}, edits);
    keep(edits.edit[0].inserted.data());
  }
}
BENCHMARK(splice_plan);

void fact_pack(benchmark::State& state) {
  const Call call;
  const Fact& fact = call.fact;
  std::vector<std::uint64_t> record = packed(fact);
  for (auto _ : state) {
    const Packing packing(fact);
    packing.write(reinterpret_cast<char*>(record.data()));
    benchmark::ClobberMemory();
  }
  state.counters["bytes"] = static_cast<double>(Packing(fact).size());
}
BENCHMARK(fact_pack);

void fact_unpack(benchmark::State& state) {
  const Call call;
  const std::vector<std::uint64_t> record = packed(call.fact);
  for (auto _ : state) {
    Fact read = unpack(record);
    keep(read);
  }
}
BENCHMARK(fact_unpack);

}  // namespace
}  // namespace mcptrace::mcp
