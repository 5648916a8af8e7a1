// P1, P2, P3: what the wrapper adds to a stdio server, against the direct pipe and a bare byte relay, interleaved in
// one run.
//
//   stdio_bench MCPTRACE BARE_RELAY ECHO_SERVER STATE_DIRECTORY [rounds [calls]]
//
// Prints a table on stderr and one JSON object on stdout. A wrapper's run counts only if every call is in the spool as
// a span; otherwise the program says so and exits with 1.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "measure.h"
#include "stdio_server.h"

namespace mcptrace::bench {
namespace {

struct Subject {
  std::string name;
  std::vector<std::string> command;
  bool traced = false;
};

double latency_p50(const Subject& subject, std::size_t rounds) {
  StdioServer server(subject.command);
  std::vector<double> times;
  for (std::size_t i = 0; i < rounds + 200; ++i) {
    const std::string line = tool_call_line(i, 1024);
    const auto begin = Clock::now();
    server.write(line);
    server.read_lines(1);
    if (i >= 200) times.push_back(seconds_since(begin) * 1e6);
  }
  server.stop();
  return median(times);
}

struct Throughput {
  double calls_per_second = 0, cpu_us = 0, peak = 0;
};

Throughput throughput(const Subject& subject, std::size_t calls, std::size_t in_flight) {
  StdioServer server(subject.command);
  const double cpu_before = cpu_seconds(server.pid());
  const auto begin = Clock::now();
  call(server, calls, in_flight);
  const double elapsed = seconds_since(begin);
  Throughput result{static_cast<double>(calls) / elapsed,
                    (cpu_seconds(server.pid()) - cpu_before) / static_cast<double>(calls) * 1e6,
                    peak_mib(server.pid())};
  server.stop();
  return result;
}

double start_up_ms(const Subject& subject) {
  const auto begin = Clock::now();
  StdioServer server(subject.command);
  server.write(tool_call_line(1, 200));
  server.read_lines(1);
  const double elapsed = seconds_since(begin) * 1e3;
  server.stop();
  return elapsed;
}

class Bench {
 public:
  Bench(std::vector<Subject> subjects, std::string state) : subjects_(std::move(subjects)), state_(std::move(state)) {}

  // One measure, interleaved: every subject once a round.
  template <class Measure>
  std::map<std::string, std::vector<double>> run(std::size_t rounds, std::size_t calls_a_round, Measure measure) {
    std::map<std::string, std::vector<double>> results;
    for (std::size_t round = 0; round < rounds; ++round) {
      for (const Subject& subject : subjects_) {
        std::filesystem::remove_all(state_);
        results[subject.name].push_back(measure(subject));
        if (subject.traced) check(calls_a_round);
      }
    }
    return results;
  }

  bool lost = false;

 private:
  void check(std::size_t calls) {
    const Traced traced = read_spool(state_ + "/spool");
    if (traced.ok == calls && traced.dropped == 0 && !traced.damaged) return;
    lost = true;
    std::fprintf(stderr,
                 "stdio_bench: %zu calls, %zu spans ended ok in the spool, %lld drops: this run does not count\n",
                 calls, traced.ok, static_cast<long long>(traced.dropped));
  }

  std::vector<Subject> subjects_;
  std::string state_;
};

int run(int argc, char** argv) {
  if (argc < 5) fail("usage: stdio_bench MCPTRACE BARE_RELAY ECHO_SERVER STATE_DIRECTORY [rounds [calls]]");
  const std::string state = argv[4];
  setenv("MCPTRACE_HOME", state.c_str(), 1);
  const std::size_t rounds = argc > 5 ? std::strtoul(argv[5], nullptr, 10) : 5;
  const std::size_t calls = argc > 6 ? std::strtoul(argv[6], nullptr, 10) : 200'000;
  const std::string server = argv[3];
  Bench bench({{"direct", {server, "1024"}},
               {"relay", {argv[2], server, "1024"}},
               {"mcptrace", {argv[1], "run", "--", server, "1024"}, true}},
              state);
  constexpr std::size_t kRounds = 20'000;

  pin(true);
  auto p1 = bench.run(rounds, kRounds + 200, [&](const Subject& s) { return latency_p50(s, kRounds); });
  std::vector<double> cpu, peak;
  const auto load = [&](const Subject& s) {
    const Throughput t = throughput(s, calls, 32);
    if (s.traced) cpu.push_back(t.cpu_us), peak.push_back(t.peak);
    return t.calls_per_second;
  };
  auto pinned = bench.run(rounds, calls, load);
  const double cpu_pinned = median(std::exchange(cpu, {}));
  pin(false);
  auto unpinned = bench.run(rounds, calls, load);
  auto start_up = bench.run(40, 1, start_up_ms);
  std::filesystem::remove_all(state);

  const auto ratios = [](std::map<std::string, std::vector<double>>& all) {
    std::vector<double> out;
    for (std::size_t i = 0; i < all["relay"].size(); ++i) out.push_back(all["mcptrace"][i] / all["relay"][i]);
    return median(out);
  };
  const double direct = median(p1["direct"]), relay = median(p1["relay"]) - direct,
               ours = median(p1["mcptrace"]) - direct;
  std::fprintf(stderr, "P1 added p50, pinned       direct %.2f us, relay +%.2f, mcptrace +%.2f: %.2f x (goal 1.20)\n",
               direct, relay, ours, ours / relay);
  std::fprintf(
      stderr,
      "P2 32 in flight, pinned    relay %.0f/s, mcptrace %.0f/s: %.2f x (goal 0.88); CPU %.2f us a call (goal 2.5)\n",
      median(pinned["relay"]), median(pinned["mcptrace"]), ratios(pinned), cpu_pinned);
  std::fprintf(stderr,
               "P2 32 in flight, unpinned  relay %.0f/s, mcptrace %.0f/s: %.2f x (goal 0.90); CPU %.2f us a call\n",
               median(unpinned["relay"]), median(unpinned["mcptrace"]), ratios(unpinned), median(cpu));
  std::fprintf(stderr, "P3 peak resident           %.2f MiB (goal 4.5)\n", *std::max_element(peak.begin(), peak.end()));
  const double added = median(start_up["mcptrace"]) - median(start_up["direct"]);
  std::fprintf(stderr, "P3 added start-up          %.2f ms (goal 1.2); relay %.2f ms\n", added,
               median(start_up["relay"]) - median(start_up["direct"]));
  std::printf(
      "{\"p1_ratio\":%.4f,\"p1_direct_us\":%.3f,\"p1_relay_added_us\":%.3f,\"p1_mcptrace_added_us\":%.3f,"
      "\"p2_pinned_ratio\":%.4f,\"p2_unpinned_ratio\":%.4f,\"p2_cpu_us_pinned\":%.3f,\"p2_cpu_us\":%.3f,"
      "\"p3_peak_mib\":%.3f,\"p3_start_up_ms\":%.3f,\"nothing_lost\":%s}\n",
      ours / relay, direct, relay, ours, ratios(pinned), ratios(unpinned), cpu_pinned, median(cpu),
      *std::max_element(peak.begin(), peak.end()), added, bench.lost ? "false" : "true");
  return bench.lost ? 1 : 0;
}

}  // namespace
}  // namespace mcptrace::bench

int main(int argc, char** argv) { return mcptrace::bench::run(argc, argv); }
