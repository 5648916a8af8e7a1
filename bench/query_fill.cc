// Fills a spool with made-up sessions, to time the terminal's commands and shipping on a full one: query_fill DIRECTORY
// MEGABYTES [CALLS_A_SESSION [whole]]. DIRECTORY is a state directory ($MCPTRACE_HOME): the files go to
// DIRECTORY/spool. Each session is a process's own file, as `mcptrace run` writes it, with sizes spread around
// CALLS_A_SESSION (default 3000). `whole`: calls have all attributes that `run` writes, not only those that are shown.
#include <fcntl.h>
#include <sys/stat.h>

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <string>

#include "base/testing.h"
#include "ledger/testing_sample.h"
#include "spool/writer.h"

namespace {

using mcptrace::Nanos;
using mcptrace::trace::Outcome;
using std::chrono::microseconds, std::chrono::milliseconds, std::chrono::seconds;

std::uint64_t number(std::string_view text, std::uint64_t otherwise) {
  std::uint64_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// One session in a file of its own; its bytes on disk.
std::uint64_t write_session(const std::string& spool, std::uint64_t seed, std::uint64_t calls, Nanos start, bool whole,
                            const mcptrace::Clock& clock) {
  mcptrace::spool::WriterOptions options;
  options.directory = spool;
  options.total_bytes = ~std::uint64_t{0};
  options.name_prefix = "run";
  mcptrace::spool::Writer writer(options, clock);
  mcptrace::SeededRandom random(seed * 7919);
  mcptrace::ledger::SampleOptions session;
  session.seed = seed;
  session.start = start;
  session.service = "server-" + std::to_string(seed % 7);
  session.instance = "i-" + std::to_string(seed);
  session.client_process = std::to_string(seed / 3);
  session.whole_calls = whole;
  const auto sink = [&](mcptrace::spool::RecordType type, std::uint32_t tag, std::string_view payload) {
    static_cast<void>(writer.append(type, tag, payload));
  };
  mcptrace::ledger::Sample sample(sink, session);
  sample.open();
  sample.initialize(Nanos(0), milliseconds(3));
  static_cast<void>(writer.flush());
  Nanos at = milliseconds(20);
  for (std::uint64_t i = 0; i < calls; ++i) {
    const std::uint64_t dice = random.u64();
    const Nanos took = microseconds(200 + dice % 50'000);
    sample.call("tool_" + std::to_string(dice % 11), at, took, dice % 97 == 0 ? Outcome::kToolError : Outcome::kOk);
    at += took + milliseconds(dice % 4000);
  }
  if (seed % 50 != 0) sample.close(at);  // some are killed
  static_cast<void>(writer.flush());
  const Nanos last = start + at;  // as if it had been written then
  const timespec time{static_cast<time_t>(last / seconds(1)), static_cast<long>((last % seconds(1)).count())};
  const timespec times[] = {time, time};
  ::utimensat(AT_FDCWD, writer.path().c_str(), times, 0);
  return writer.counts().bytes;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: query_fill DIRECTORY MEGABYTES [CALLS_A_SESSION [whole]]\n");
    return 2;
  }
  const std::string spool = std::string(argv[1]) + "/spool";
  const std::uint64_t wanted = number(argv[2], 512) << 20, usual = number(argc > 3 ? argv[3] : "", 3000);
  const bool whole = argc > 4 && std::string_view(argv[4]) == "whole";
  std::filesystem::create_directories(argv[1]);
  const mcptrace::SystemClock clock;
  const Nanos now = clock.wall();
  std::uint64_t bytes = 0, sessions = 0, calls = 0;
  while (bytes < wanted) {
    const std::uint64_t size = usual * (1 + sessions % 10) / 5;
    const Nanos start = now - seconds(1'000'000) + seconds(200 * sessions);
    bytes += write_session(spool, sessions + 1, size, start, whole, clock);
    calls += size;
    ++sessions;
  }
  std::printf("{\"bytes\":%llu,\"sessions\":%llu,\"calls\":%llu}\n", static_cast<unsigned long long>(bytes),
              static_cast<unsigned long long>(sessions), static_cast<unsigned long long>(calls));
  return 0;
}
