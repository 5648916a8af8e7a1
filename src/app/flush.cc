#include "app/flush.h"

#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <set>
#include <utility>

#include "base/fd.h"
#include "spool/cursor.h"
#include "spool/destinations.h"
#include "spool/directory.h"
#include "spool/shipper.h"

namespace mcptrace::app {
namespace {

constexpr Nanos kFirstWait = std::chrono::milliseconds(2);
constexpr Nanos kLongestWait = std::chrono::milliseconds(100);
constexpr Nanos kAskEvery = std::chrono::seconds(1);

using Sizes = std::map<std::string, std::uint64_t>;  // file name -> bytes

// What this process wrote, and what is still there of it.
Sizes own_files(const std::string& spool, const std::string& first) {
  Sizes own;
  const auto first_name = spool::parse_name(first);
  const auto directory = spool::open_directory(spool, spool::Use::kRead);
  if (!first_name || !directory || !directory->valid()) return own;
  const auto entries = spool::list_entries(directory->get(), spool::kSuffix);
  if (!entries) return own;
  for (const spool::Entry& entry : *entries) {
    const auto name = spool::parse_name(entry.name);
    if (entry.name >= first && name->process == first_name->process) own[entry.name] = entry.bytes;
  }
  return own;
}

bool is_among(const std::string& name, const std::vector<std::string>& names) {
  return std::ranges::find(names, name) != names.end();
}

UniqueFd take_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) sigaddset(&set, signal);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return UniqueFd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

class Flush {
 public:
  explicit Flush(const FlushOptions& options)
      : destinations_(options.destinations),
        state_(options.state),
        spool_(options.state + "/spool"),
        own_(own_files(spool_, options.first_file)) {}

  [[nodiscard]] bool is_needed() const { return !own_.empty(); }

  bool is_done() {
    const auto served = spool::served(state_);
    if (!served) return false;
    for (const std::string& destination : destinations_) {
      if (!is_among(destination, *served)) return false;
    }
    return std::ranges::all_of(*served, [&](const std::string& destination) {
      const bool of_others = spool::is_destination_name(destination) && !is_among(destination, destinations_);
      return of_others || has_all(destination);
    });
  }

 private:
  // Also what was deleted meanwhile is waited for no longer.
  bool has_all(const std::string& destination) {
    if (!has_moved(destination)) return done_.contains(destination);
    const spool::Positions at = spool::read_cursor(spool_, spool::ship_cursor(destination));
    const auto has = [&](const auto& file) {
      const auto position = at.find(file.first);
      return position != at.end() && position->second >= file.second;
    };
    std::erase_if(own_, [&](const auto& file) { return !has(file) && is_gone(file.first); });
    if (!std::ranges::all_of(own_, has)) return false;
    done_.insert(destination);
    return true;
  }

  [[nodiscard]] bool is_gone(const std::string& name) const {
    struct stat status;
    return ::lstat((spool_ + "/" + name).c_str(), &status) != 0 && errno == ENOENT;
  }

  // A cursor of many files takes its time to be read, and whoever ships needs that more.
  bool has_moved(const std::string& destination) {
    struct stat status;
    const std::string path = spool::cursors_of(spool_) + "/" + spool::ship_cursor(destination);
    if (::lstat(path.c_str(), &status) != 0) return false;
    const std::pair now(status.st_ino, spool::modified_of(status));
    return std::exchange(seen_[destination], now) != now;
  }

  const std::vector<std::string>& destinations_;  // that are known to be
  const std::string state_, spool_;
  Sizes own_;
  std::map<std::string, std::pair<ino_t, Nanos>> seen_;  // of each cursor, when it was read
  std::set<std::string> done_;
};

}  // namespace

Flushed flush(const FlushOptions& options, ShipStarter& starter, const Clock& clock) {
  Flush flush(options);
  if (!flush.is_needed()) return Flushed::kAll;
  const UniqueFd signals = take_signals();
  const Nanos end = clock.boot() + options.limit;
  Nanos ask = clock.boot(), wait = kFirstWait;
  for (;;) {
    if (flush.is_done()) return Flushed::kAll;
    const Nanos now = clock.boot();
    if (now >= end) return Flushed::kTimeIsOver;
    if (now >= ask) {
      starter.start();
      static_cast<void>(spool::ask_to_hurry(options.state));
      ask = now + kAskEvery;
    }
    pollfd watched = {signals.get(), POLLIN, 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::min(wait, end - now));
    if (::poll(&watched, 1, static_cast<int>(left.count())) > 0) return Flushed::kInterrupted;
    wait = std::min(wait * 3 / 2, kLongestWait);
  }
}

}  // namespace mcptrace::app
