#include "measure.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "ledger/root_attributes.h"
#include "otlp/decode.h"
#include "otlp/encode.h"
#include "spool/reader.h"

namespace mcptrace::bench {
namespace {

std::string proc(pid_t pid, const char* file) { return "/proc/" + std::to_string(pid) + "/" + file; }

std::vector<pid_t> children(pid_t pid) {
  std::ifstream file(proc(pid, "task/") + std::to_string(pid) + "/children");
  std::vector<pid_t> all;
  for (pid_t child = 0; file >> child;) all.push_back(child);
  return all;
}

double status_kib(pid_t pid, const std::string& key) {
  std::ifstream file(proc(pid, "status"));
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return std::strtod(line.c_str() + key.size(), nullptr);
  }
  return 0;
}

void add_record(const spool::Record& record, Traced& traced) {
  trace::SpanHeader header;
  std::string_view bytes;
  if (record.type != spool::RecordType::kSpan) return;
  if (!otlp::split_record(record.payload, header, bytes)) {
    traced.damaged = true;
    return;
  }
  if (header.operation == trace::Operation::kToolCall) {
    ++traced.tool_calls;
    if (header.outcome == trace::Outcome::kOk) ++traced.ok;
  }
  if ((header.flags & trace::kRootSpan) == 0) return;
  if (const auto root = otlp::decode_span(bytes)) {
    traced.dropped += ledger::root_counts(*root).dropped;
  } else {
    traced.damaged = true;
  }
}

}  // namespace

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void fail(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, what.c_str());
  std::exit(1);
}

double quantile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::floor(part * static_cast<double>(values.size())));
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::min(rank, values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

void pin(bool one_core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  for (int core = 0; core < (one_core ? 1 : cores); ++core) CPU_SET(static_cast<std::size_t>(core), &set);
  sched_setaffinity(0, sizeof(set), &set);
}

double cpu_seconds(pid_t pid) {
  double total = 0;
  std::error_code gone;
  for (const auto& task : std::filesystem::directory_iterator(proc(pid, "task"), gone)) {
    std::ifstream file(task.path() / "schedstat");
    double nanoseconds = 0;
    file >> nanoseconds;
    total += nanoseconds / 1e9;
  }
  for (const pid_t child : children(pid)) total += cpu_seconds(child);
  return total;
}

double resident_kib(pid_t pid) {
  double total = status_kib(pid, "VmRSS:");
  for (const pid_t child : children(pid)) total += resident_kib(child);
  return total;
}

double peak_mib(pid_t pid) { return status_kib(pid, "VmHWM:") / 1024; }

Traced read_spool(const std::string& directory) {
  Traced traced;
  const auto files = spool::list_files(directory);
  if (!files) fail(files.error().message);
  for (const spool::FileInfo& file : *files) {
    traced.bytes += file.bytes;
    spool::FileReader reader(file.path);
    while (const auto record = reader.next()) add_record(*record, traced);
    if (reader.error() || reader.skipped().places != 0 || reader.skipped().unsupported != 0) traced.damaged = true;
  }
  return traced;
}

}  // namespace mcptrace::bench
