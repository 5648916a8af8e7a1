// The numbers of the cost ratchet: what one call costs the wrapper, and one request the proxy, in instructions that
// callgrind counts (all threads; no server, no client). Two runs of different length are subtracted, so that start and
// end drop out, and everything runs on one core with a clock that stands still (still_clock), so that it is the same
// work each time.
//
//   cost_bench stdio|http STATE_DIRECTORY CLOCK SERVER COMMAND...
//
// COMMAND: `mcptrace run --`, or `mcptrace-proxy proxy`. Prints one number, and what callgrind wrote is left in
// STATE_DIRECTORY. A run counts only if all of its calls are in the spool; otherwise the program says so and exits
// with 1.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "http_load.h"
#include "http_stage.h"
#include "measure.h"
#include "stdio_server.h"

namespace mcptrace::bench {
namespace {

using Strings = std::vector<std::string>;

// The longer one's facts fit into the observer's queues, however long valgrind lets the observer wait.
constexpr std::size_t kShort = 100, kLong = 600;

double total(const std::string& profile) {
  std::ifstream file(profile);
  constexpr std::string_view kTotals = "totals: ";
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kTotals)) return std::strtod(line.c_str() + kTotals.size(), nullptr);
  }
  fail(profile + " has no line '" + std::string(kTotals) + "': did callgrind end well?");
}

struct Options {
  std::string state, clock, server;
  Strings command;
};

Strings under_callgrind(const Options& options, const std::string& profile) {
  Strings command{"env",
                  "LD_PRELOAD=" + options.clock,
                  "valgrind",
                  "-q",
                  "--fair-sched=yes",
                  "--tool=callgrind",
                  "--callgrind-out-file=" + profile};
  command.insert(command.end(), options.command.begin(), options.command.end());
  return command;
}

double stdio_run(const Options& options, std::size_t calls) {
  const std::string profile = options.state + "/stdio-" + std::to_string(calls);
  const std::string home = options.state + "/home";
  std::filesystem::remove_all(home);
  setenv("MCPTRACE_HOME", home.c_str(), 1);
  Strings command = under_callgrind(options, profile);
  command.insert(command.end(), {options.server, "1024"});
  StdioServer server(command);
  call(server, calls, 32);
  server.stop();
  const Traced traced = read_spool(home + "/spool");
  if (traced.ok != calls || traced.dropped != 0 || traced.damaged) {
    fail(std::to_string(calls) + " calls, " + std::to_string(traced.ok) + " spans ended ok in the spool, " +
         std::to_string(traced.dropped) + " drops");
  }
  return total(profile);
}

double http_run(const Options& options, std::size_t calls) {
  const std::string profile = options.state + "/http-" + std::to_string(calls);
  Stage stage({under_callgrind(options, profile), "", options.server}, kMcptrace, options.state + "/stage");
  {
    Connection connection(stage.port());
    const std::string session = initialize(connection, stage.port());
    for (std::size_t i = 0; i < calls; ++i) {
      connection.exchange(post(stage.port(), "/mcp", session, tool_call(i + 1, 1024)));
    }
  }
  if (!stage.finish(calls, 0)) std::exit(1);
  return total(profile);
}

int run(int argc, char** argv) {
  if (argc < 6) fail("usage: cost_bench stdio|http STATE_DIRECTORY CLOCK SERVER COMMAND...");
  const Options options{argv[2], argv[3], argv[4], Strings(argv + 5, argv + argc)};
  std::filesystem::create_directories(options.state);
  pin(true);
  const auto once = argv[1] == std::string("stdio") ? stdio_run : http_run;
  const double more = once(options, kLong) - once(options, kShort);
  std::printf("%.0f\n", more / static_cast<double>(kLong - kShort));
  return 0;
}

}  // namespace
}  // namespace mcptrace::bench

int main(int argc, char** argv) { return mcptrace::bench::run(argc, argv); }
