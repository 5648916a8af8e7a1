// What it costs to ship a full spool: `mcptrace ship --once` on one core, to a bare receiver on another, by each
// compression and by gRPC, and in turn with it the OpenTelemetry C++ SDK's own OTLP/HTTP exporter, which sends as many
// spans with the attributes of ours.
//
// The two do not do the same: the SDK's exporter makes and encodes its spans, which here whoever traced has done
// (span_bench); ours reads and unpacks files, and keeps its place on disk. Spans a second by the clock are what the
// goals are of; they mean something on a quiet machine alone, and so its load is shown. Those a second of CPU time are
// what the core could do if it never waited.
//
//   ship_bench MCPTRACE STATE_DIRECTORY SDK_EXPORTER [rounds]
//
// STATE_DIRECTORY holds a spool (query_fill). SDK_EXPORTER: bench/sdk_export.cc, built; - for none. Prints a table on
// stderr and one JSON object on stdout. Ends with an error if a span is missing at the receiver, or came twice.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "measure.h"
#include "otlp/decode.h"
#include "otlp/encode.h"
#include "span_sink.h"
#include "spool/reader.h"

namespace mcptrace::bench {
namespace {

struct Way {
  const char* name;
  const char* settings;  // of the destination; null: the SDK's
  double goal = 0;       // spans a second; zero: none
};
constexpr Way kWays[] = {
    {"plain", "compression: none", 500'000},
    {"gzip", "compression: gzip", 150'000},
    {"zstd", "compression: zstd"},
    {"grpc", "protocol: grpc\n    compression: none"},
    {"sdk", nullptr},
};
constexpr std::size_t kWayCount = std::size(kWays);
constexpr double kPeakGoal = 50;  // MiB

// What the spool holds, by its records alone: spans, and a root for each file whose session has none.
struct Spool {
  std::uint64_t spans = 0;
  std::optional<otlp::Span> call;  // one like all
};

Spool look_at(const std::string& state) {
  const auto files = spool::list_files(state + "/spool");
  if (!files || files->empty()) fail("there is no spool in " + state + "; query_fill makes one");
  Spool found;
  for (const spool::FileInfo& file : *files) {
    bool closed = false;
    spool::FileReader reader(file.path);
    while (const auto record = reader.next()) {
      closed |= record->type == spool::RecordType::kSessionClose;
      if (record->type != spool::RecordType::kSpan) continue;
      ++found.spans;
      trace::SpanHeader header;
      std::string_view bytes;
      if (found.call || !otlp::split_record(record->payload, header, bytes)) continue;
      if (header.operation != trace::Operation::kToolCall) continue;
      if (auto span = otlp::decode_span(bytes)) found.call = *std::move(span);
    }
    if (!closed) ++found.spans;
  }
  if (!found.call) fail("the spool holds no tool call");
  return found;
}

// For the SDK's exporter: its name, and a line for each attribute: type, key, value.
void write_attributes(const otlp::Span& span, const std::string& path) {
  std::ofstream file(path);
  file << "n\tname\t" << span.name << "\n";
  for (const otlp::KeyValue& attribute : span.attributes) {
    if (const std::string* text = attribute.second.string()) file << "s\t" << attribute.first << "\t" << *text << "\n";
    if (const std::int64_t* number = attribute.second.integer())
      file << "i\t" << attribute.first << "\t" << *number << "\n";
    if (const double* number = std::get_if<double>(&attribute.second.v))
      file << "d\t" << attribute.first << "\t" << *number << "\n";
    if (const bool* flag = std::get_if<bool>(&attribute.second.v))
      file << "b\t" << attribute.first << "\t" << *flag << "\n";
  }
  if (!file.flush()) fail("cannot write " + path);
}

struct Cost {
  double wall = 0, cpu = 0, peak_mib = 0;
};

// Runs it to its end, on the first core.
Cost run(const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const auto begin = Clock::now();
  const pid_t pid = ::fork();
  if (pid < 0) fail("cannot fork");
  if (pid == 0) {
    pin(true);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  rusage used{};
  if (::wait4(pid, &status, 0, &used) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fail(command[0] + " " + command[1] + " did not end well");
  }
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return {seconds_since(begin), seconds(used.ru_utime) + seconds(used.ru_stime),
          static_cast<double>(used.ru_maxrss) / 1024};
}

struct Rounds {
  std::vector<double> wall, cpu, peak, bytes;  // spans a second, the same of CPU time, MiB, bytes a span
};

class Bench {
 public:
  Bench(std::string mcptrace, std::string state, std::string sdk)
      : mcptrace_(std::move(mcptrace)), state_(std::move(state)), sdk_(std::move(sdk)), spool_(look_at(state_)) {
    write_attributes(*spool_.call, state_ + "/attributes");
  }

  void round() {
    for (std::size_t i = 0; i < kWayCount; ++i) {
      if (kWays[i].settings != nullptr || sdk_ != "-") measure(i);
    }
  }

  void report() const;

 private:
  void measure(std::size_t index) {
    const Way& way = kWays[index];
    SpanSink sink;
    const std::string address = "http://127.0.0.1:" + std::to_string(sink.port());
    Cost cost;
    if (way.settings == nullptr) {
      cost = run({sdk_, address + "/v1/traces", state_ + "/attributes", std::to_string(spool_.spans)});
    } else {
      // A destination that nobody knows gets all of the spool.
      const std::string file = state_ + "/ship_bench.yaml",
                        name = way.name + std::to_string(::getpid()) + "-" + std::to_string(++number_);
      std::ofstream(file) << "destinations:\n  - name: " << name << "\n    endpoint: " << address << "\n    "
                          << way.settings << "\n";
      cost = run({mcptrace_, "ship", "--once", "--home", state_, "--config", file});
    }
    const SinkCounts counts = sink.stop();
    if (counts.spans != spool_.spans || counts.bad != 0) {
      fail(std::string(way.name) + ": " + std::to_string(counts.spans) + " of " + std::to_string(spool_.spans) +
           " spans came, and " + std::to_string(counts.bad) + " requests could not be read");
    }
    const auto spans = static_cast<double>(spool_.spans);
    Rounds& rounds = rounds_[index];
    rounds.wall.push_back(spans / cost.wall);
    rounds.cpu.push_back(spans / cost.cpu);
    rounds.peak.push_back(cost.peak_mib);
    rounds.bytes.push_back(static_cast<double>(counts.bytes) / spans);
  }

  std::string mcptrace_, state_, sdk_;
  Spool spool_;
  int number_ = 0;
  Rounds rounds_[kWayCount];
};

void Bench::report() const {
  double load = 0;
  static_cast<void>(::getloadavg(&load, 1));
  const long cores = ::sysconf(_SC_NPROCESSORS_ONLN);
  std::fprintf(stderr, "%llu spans, %zu attributes a call, one core; medians; load %.1f on %ld cores\n",
               static_cast<unsigned long long>(spool_.spans), spool_.call->attributes.size(), load, cores);
  std::printf("{\"spans\":%llu,\"load\":%.1f,\"cores\":%ld", static_cast<unsigned long long>(spool_.spans), load,
              cores);
  for (std::size_t i = 0; i < kWayCount; ++i) {
    const Way& way = kWays[i];
    const Rounds& rounds = rounds_[i];
    if (rounds.wall.empty()) {
      std::fprintf(stderr, "%-6s not measured: the SDK is not to be had here\n", way.name);
      continue;
    }
    const double wall = median(rounds.wall), cpu = median(rounds.cpu), bytes = median(rounds.bytes);
    const double peak = *std::max_element(rounds.peak.begin(), rounds.peak.end());
    std::fprintf(stderr, "%-6s %8.0f spans/s (best %8.0f), %8.0f a CPU second, %6.1f bytes a span, peak %5.1f MiB",
                 way.name, wall, *std::max_element(rounds.wall.begin(), rounds.wall.end()), cpu, bytes, peak);
    if (way.goal > 0) std::fprintf(stderr, "  (goal %.0f spans/s)", way.goal);
    if (way.settings != nullptr && peak > kPeakGoal) std::fprintf(stderr, "  (more than %.0f MiB)", kPeakGoal);
    std::fprintf(stderr, "\n");
    std::printf(
        ",\"%s\":{\"spans_per_second\":%.0f,\"spans_per_second_best\":%.0f,\"spans_per_cpu_second\":%.0f,"
        "\"bytes_per_span\":%.1f,\"peak_mib\":%.1f}",
        way.name, wall, *std::max_element(rounds.wall.begin(), rounds.wall.end()), cpu, bytes, peak);
  }
  std::printf("}\n");
}

int run_all(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: ship_bench MCPTRACE STATE_DIRECTORY SDK_EXPORTER|- [rounds]\n");
    return 2;
  }
  Bench bench(argv[1], argv[2], argv[3]);
  const int rounds = argc > 4 ? std::atoi(argv[4]) : 3;
  for (int i = 0; i < rounds; ++i) bench.round();
  bench.report();
  return 0;
}

}  // namespace
}  // namespace mcptrace::bench

int main(int argc, char** argv) { return mcptrace::bench::run_all(argc, argv); }
