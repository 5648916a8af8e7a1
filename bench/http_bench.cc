// P4, P5, P6: the HTTP proxy against no proxy and against nginx as a plain reverse proxy, in one run, in turn.
//
//   http_bench MCPTRACE NGINX HTTP_UPSTREAM HTTP_CALLS_LUA STATE_DIRECTORY [rounds [seconds]]
//
// Prints a table on stderr and one JSON object on stdout. A run of the proxy counts only if nothing of its trace was
// lost; otherwise the program says so and exits with 1. With - for MCPTRACE only the others are measured.
#include <signal.h>
#include <sys/resource.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http_load.h"
#include "http_stage.h"
#include "measure.h"
#include "process.h"

namespace mcptrace::bench {
namespace {

constexpr const char* kNames[kSubjects] = {"direct", "nginx", "mcptrace"};
constexpr std::size_t kConnections = 32;                // P4
constexpr std::size_t kRate = 1000, kClients = 16;      // P5
constexpr std::size_t kStreams = 10, kEventRate = 100;  // P6: a thousand events a second
constexpr std::size_t kIdleStreams = 1000;

// P4's traffic: 2025-11-25 with sessions, or 2026-07-28 with conversations that the clients name.
struct Traffic {
  const char* key;
  const char* title;
  bool one_core = false;
  bool modern = false;
  std::size_t routes = 0;
};
constexpr Traffic kTraffic[] = {
    {.key = "unpinned", .title = "unpinned"},
    {.key = "pinned", .title = "one core", .one_core = true},
    {.key = "modern", .title = "modern", .one_core = true, .modern = true},
    {.key = "routes", .title = "8 routes", .one_core = true, .modern = true, .routes = 8},
};

// A number for each round, by subject.
using Series = std::array<std::vector<double>, kSubjects>;

// Medians over the rounds of what a round says: ours to nginx's, and what a proxy adds.
double ratio(const Series& series) {
  std::vector<double> all;
  for (std::size_t i = 0; i < series[kMcptrace].size(); ++i) all.push_back(series[kMcptrace][i] / series[kNginx][i]);
  return median(all);
}
double added(const Series& series, Subject subject) {
  std::vector<double> all;
  for (std::size_t i = 0; i < series[subject].size(); ++i) all.push_back(series[subject][i] - series[kDirect][i]);
  return median(all);
}

using Strings = std::vector<std::string>;

Strings conversations(std::size_t count) {
  Strings names;
  while (names.size() < count) names.push_back("bench-conversation-" + std::to_string(names.size()));
  return names;
}

class Bench {
 public:
  Bench(Programs programs, std::string script, std::string state, std::size_t rounds, long seconds)
      : programs_(std::move(programs)),
        script_(std::move(script)),
        state_(std::move(state)),
        rounds_(rounds),
        seconds_(seconds) {
    for (const Subject subject : {kDirect, kNginx, kMcptrace}) {
      if (subject != kMcptrace || !programs_.mcptrace.empty()) subjects_.push_back(subject);
    }
  }

  void throughput(const Traffic& traffic);
  void latency();
  void events();
  void idle_streams();
  // What was measured, as JSON's members.
  [[nodiscard]] const std::string& json() const { return json_; }
  [[nodiscard]] bool lost() const { return lost_; }

 private:
  // Every subject once a round, another one first each time.
  template <class Measure>
  void in_turn(Measure measure, std::size_t routes = 0) {
    for (std::size_t round = 0; round < rounds_; ++round) {
      for (std::size_t i = 0; i < subjects_.size(); ++i) {
        const Subject subject = subjects_[(round + i) % subjects_.size()];
        Stage stage(programs_, subject, state_, routes);
        const auto [calls, given_up] = measure(stage, subject);
        if (!stage.finish(calls, given_up)) lost_ = true;
      }
    }
  }
  [[nodiscard]] bool ours() const { return subjects_.size() == kSubjects; }
  void add(const std::string& key, double value);
  void add_rounds(const std::string& key, const Series& series);

  Programs programs_;
  std::string script_, state_;
  std::size_t rounds_;
  long seconds_;
  std::vector<Subject> subjects_;
  std::string json_;
  bool lost_ = false;
};

struct Answered {
  std::size_t calls = 0;
  std::size_t given_up = 0;  // at most
};

void Bench::add(const std::string& key, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "\":%.4f", value);
  json_ += (json_.empty() ? "\"" : ",\"") + key + text;
}

void Bench::add_rounds(const std::string& key, const Series& series) {
  for (const Subject subject : subjects_) {
    json_ += (json_.empty() ? "\"" : ",\"") + key + "_" + kNames[subject] + "\":[";
    for (std::size_t i = 0; i < series[subject].size(); ++i) {
      char text[32];
      std::snprintf(text, sizeof(text), "%s%.3f", i == 0 ? "" : ",", series[subject][i]);
      json_ += text;
    }
    json_ += "]";
  }
}

void Bench::throughput(const Traffic& traffic) {
  Series rate, cpu, p50, p99;
  pin(traffic.one_core);
  const auto load = [&](Stage& stage, Subject subject) {
    Strings command{"wrk",
                    "-t1",
                    "-c" + std::to_string(kConnections),
                    "-d" + std::to_string(seconds_) + "s",
                    "-s",
                    script_,
                    "http://127.0.0.1:" + std::to_string(stage.port()),
                    "--",
                    traffic.modern ? "modern" : "legacy",
                    std::to_string(traffic.routes)};
    const Strings names = traffic.modern ? conversations(kConnections) : open_sessions(stage.port(), kConnections);
    command.insert(command.end(), names.begin(), names.end());
    const double before = stage.cpu();
    Process wrk(command, 1);
    const std::string said = wrk.read_until("result ", std::chrono::seconds(seconds_ + 20));
    const double used = stage.cpu() - before;
    double requests = 0, micros = 0, failed = 0, middle = 0, high = 0;
    if (std::sscanf(said.c_str() + said.rfind("result "), "result %lf %lf %lf %lf %lf", &requests, &micros, &failed,
                    &middle, &high) != 5 ||
        failed != 0 || requests == 0) {
      fail("wrk through " + std::string(kNames[subject]) + ":\n" + said);
    }
    rate[subject].push_back(requests / micros * 1e6);
    cpu[subject].push_back(used / requests * 1e6);
    p50[subject].push_back(middle);
    p99[subject].push_back(high);
    return Answered{static_cast<std::size_t>(requests), kConnections};
  };
  in_turn(load, traffic.routes);
  pin(false);
  for (const Subject subject : subjects_) {
    std::fprintf(stderr, "P4 %-9s %-9s %8.0f/s  CPU of the proxy %6.2f us a request  p50 %6.0f us  p99 %6.0f us\n",
                 traffic.title, kNames[subject], median(rate[subject]), median(cpu[subject]), median(p50[subject]),
                 median(p99[subject]));
  }
  const std::string prefix = std::string("p4_") + traffic.key;
  if (ours()) {
    std::fprintf(stderr, "P4 %-9s throughput %.2f x nginx (goal 1.00); CPU a request %.2f x (goal 1.00)\n",
                 traffic.title, ratio(rate), ratio(cpu));
    add(prefix + "_throughput_ratio", ratio(rate));
    add(prefix + "_cpu_ratio", ratio(cpu));
  }
  add_rounds(prefix + "_per_second", rate);
  add_rounds(prefix + "_cpu_us", cpu);
}

void Bench::latency() {
  Series p50, p99;
  in_turn([&](Stage& stage, Subject subject) {
    const auto calls = kRate * static_cast<std::size_t>(seconds_);
    const std::vector<double> times = call_at_rate(stage.port(), kClients, kRate, calls);
    p50[subject].push_back(median(times));
    p99[subject].push_back(quantile(times, 0.99));
    return Answered{calls, 0};
  });
  for (const Subject subject : subjects_) {
    std::fprintf(stderr, "P5 %zu calls/s   %-9s p50 %6.0f us  p99 %6.0f us   added p50 %+6.0f us  p99 %+6.0f us%s\n",
                 kRate, kNames[subject], median(p50[subject]), median(p99[subject]), added(p50, subject),
                 added(p99, subject), subject == kMcptrace ? " (goal +300)" : "");
  }
  if (ours()) {
    add("p5_added_p50_us", added(p50, kMcptrace));
    add("p5_added_p99_us", added(p99, kMcptrace));
  }
  add_rounds("p5_p50_us", p50);
  add_rounds("p5_p99_us", p99);
}

void Bench::events() {
  Series p50, p99;
  in_turn([&](Stage& stage, Subject subject) {
    const std::vector<double> delays = event_delays(stage.port(), kStreams, kEventRate, std::chrono::seconds(seconds_));
    p50[subject].push_back(median(delays));
    p99[subject].push_back(quantile(delays, 0.99));
    return Answered{0, kStreams};
  });
  for (const Subject subject : subjects_) {
    std::fprintf(stderr, "P6 SSE events     %-9s p50 %6.0f us  p99 %6.0f us   added p50 %+6.0f us  p99 %+6.0f us%s\n",
                 kNames[subject], median(p50[subject]), median(p99[subject]), added(p50, subject), added(p99, subject),
                 subject == kMcptrace ? " (goal +200)" : "");
  }
  if (ours()) {
    add("p6_added_p50_us", added(p50, kMcptrace));
    add("p6_added_p99_us", added(p99, kMcptrace));
  }
  add_rounds("p6_p50_us", p50);
  add_rounds("p6_p99_us", p99);
}

// What a proxy's memory grows by when a thousand streams are opened, after some were.
void Bench::idle_streams() {
  for (const Subject subject : subjects_) {
    if (subject == kDirect) continue;
    Stage stage(programs_, subject, state_);
    double kib = 0;
    {
      IdleStreams streams(stage.port());
      streams.open(50);
      const double before = stage.resident();
      streams.open(kIdleStreams);
      kib = (stage.resident() - before) / static_cast<double>(kIdleStreams);
    }
    if (!stage.finish(0, 0)) lost_ = true;
    std::fprintf(stderr, "P6 idle streams   %-9s %.1f KiB each%s\n", kNames[subject], kib,
                 subject == kMcptrace ? " (goal 24)" : "");
    add(std::string("p6_idle_stream_kib_") + kNames[subject], kib);
  }
}

int run(int argc, char** argv) {
  if (argc < 6)
    fail("usage: http_bench MCPTRACE NGINX HTTP_UPSTREAM HTTP_CALLS_LUA STATE_DIRECTORY [rounds [seconds]]");
  signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  Programs programs{{argv[1], "proxy"}, argv[2], argv[3]};
  if (argv[1] == std::string("-")) programs.mcptrace.clear();
  Bench bench(std::move(programs), argv[4], argv[5], argc > 6 ? std::strtoul(argv[6], nullptr, 10) : 5,
              argc > 7 ? std::strtol(argv[7], nullptr, 10) : 4);
  for (const Traffic& traffic : kTraffic) bench.throughput(traffic);
  bench.latency();
  bench.events();
  bench.idle_streams();
  std::printf("{%s,\"nothing_lost\":%s}\n", bench.json().c_str(), bench.lost() ? "false" : "true");
  return bench.lost() ? 1 : 0;
}

}  // namespace
}  // namespace mcptrace::bench

int main(int argc, char** argv) { return mcptrace::bench::run(argc, argv); }
