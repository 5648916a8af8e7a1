// P1, P2, P3: what the wrapper adds to a stdio server, against the direct pipe and a bare byte relay, interleaved in
// one run.
//
//   stdio_bench MCPTRACE BARE_RELAY ECHO_SERVER STATE_DIRECTORY [rounds [calls]]
//
// Prints a table on stderr and one JSON object on stdout. A wrapper's run counts only if every call is in the spool as
// a span; otherwise the program says so and exits with 1.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "measure.h"

namespace mcptrace::bench {
namespace {

using Strings = std::vector<std::string>;

// A process between two pipes.
struct Child {
  pid_t pid = -1;
  int in = -1, out = -1;
};

Child start(const Strings& command) {
  int to[2], from[2];
  if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) fail("no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to[0], 0);
  posix_spawn_file_actions_adddup2(&actions, from[1], 1);
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  Child child;
  if (posix_spawn(&child.pid, argv[0], &actions, nullptr, argv.data(), environ) != 0)
    fail("cannot start " + command[0]);
  posix_spawn_file_actions_destroy(&actions);
  close(to[0]);
  close(from[1]);
  child.in = to[1];
  child.out = from[0];
  return child;
}

void stop(Child& child) {
  close(child.in);
  char rest[4096];
  while (read(child.out, rest, sizeof(rest)) > 0) {
  }
  close(child.out);
  int status = 0;
  if (waitpid(child.pid, &status, 0) != child.pid || status != 0)
    fail("a child ended with status " + std::to_string(status));
}

std::string request(std::size_t id, std::size_t size) {
  std::string text = "{\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"arguments\":{\"message\":\"";
  const std::string tail = "\"}},\"jsonrpc\":\"2.0\",\"id\":" + std::to_string(id) + "}\n";
  text.append(size > text.size() + tail.size() ? size - text.size() - tail.size() : 1, 'q');
  return text + tail;
}

void write_all(int fd, const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t wrote = write(fd, bytes.data() + at, bytes.size() - at);
    if (wrote <= 0) fail("the server's stdin is closed");
    at += static_cast<std::size_t>(wrote);
  }
}

// Reads until `lines` newlines have come.
std::size_t read_lines(int fd, std::vector<char>& buffer, std::size_t at_least) {
  std::size_t lines = 0;
  while (lines < at_least) {
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got <= 0) fail("the server's stdout is closed");
    lines += static_cast<std::size_t>(std::count(buffer.data(), buffer.data() + got, '\n'));
  }
  return lines;
}

struct Subject {
  std::string name;
  Strings command;
  bool traced = false;
};

double latency_p50(const Subject& subject, std::size_t rounds) {
  Child child = start(subject.command);
  std::vector<char> buffer(1 << 16);
  std::vector<double> times;
  for (std::size_t i = 0; i < rounds + 200; ++i) {
    const std::string line = request(i, 1024);
    const auto begin = Clock::now();
    write_all(child.in, line);
    read_lines(child.out, buffer, 1);
    if (i >= 200) times.push_back(seconds_since(begin) * 1e6);
  }
  stop(child);
  return median(times);
}

struct Throughput {
  double calls_per_second = 0, cpu_us = 0, peak = 0;
};

Throughput throughput(const Subject& subject, std::size_t calls, std::size_t in_flight) {
  Child child = start(subject.command);
  std::vector<char> buffer(1 << 18);
  const double cpu_before = cpu_seconds(child.pid);
  const auto begin = Clock::now();
  std::size_t sent = 0, answered = 0;
  std::string batch;
  while (answered < calls) {
    batch.clear();
    for (; sent < calls && sent - answered < in_flight; ++sent) batch += request(sent, 1024);
    write_all(child.in, batch);
    answered += read_lines(child.out, buffer, 1);
  }
  const double elapsed = seconds_since(begin);
  Throughput result{static_cast<double>(calls) / elapsed,
                    (cpu_seconds(child.pid) - cpu_before) / static_cast<double>(calls) * 1e6, peak_mib(child.pid)};
  stop(child);
  return result;
}

double start_up_ms(const Subject& subject) {
  std::vector<char> buffer(1 << 16);
  const auto begin = Clock::now();
  Child child = start(subject.command);
  write_all(child.in, request(1, 200));
  read_lines(child.out, buffer, 1);
  const double elapsed = seconds_since(begin) * 1e3;
  stop(child);
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
  std::fprintf(stderr, "P1 added p50, pinned       direct %.2f us, relay +%.2f, mcptrace +%.2f: %.2f x (goal 1.30)\n",
               direct, relay, ours, ours / relay);
  std::fprintf(
      stderr,
      "P2 32 in flight, pinned    relay %.0f/s, mcptrace %.0f/s: %.2f x (goal 0.88); CPU %.2f us a call (goal 2.5)\n",
      median(pinned["relay"]), median(pinned["mcptrace"]), ratios(pinned), cpu_pinned);
  std::fprintf(stderr,
               "P2 32 in flight, unpinned  relay %.0f/s, mcptrace %.0f/s: %.2f x (goal 0.80); CPU %.2f us a call\n",
               median(unpinned["relay"]), median(unpinned["mcptrace"]), ratios(unpinned), median(cpu));
  std::fprintf(stderr, "P3 peak resident           %.2f MiB (goal 6)\n", *std::max_element(peak.begin(), peak.end()));
  const double added = median(start_up["mcptrace"]) - median(start_up["direct"]);
  std::fprintf(stderr, "P3 added start-up          %.2f ms (goal 3); relay %.2f ms\n", added,
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
