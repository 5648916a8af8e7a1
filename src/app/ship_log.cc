#include "app/ship_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>
#include <ctime>

#include "base/fd.h"
#include "query/text.h"

namespace mcptrace::app {
namespace {

constexpr off_t kMostBytes = 1 << 20;
constexpr int kMostLines = 10;
constexpr Nanos kIn = std::chrono::hours(1);
constexpr std::size_t kMostSubjects = 1000;

std::string time_text(Nanos wall) {
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(wall).count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace

void ShipLog::line(const std::string& text) {
  const std::string shown = query::display(text);
  say(world_, shown);
  const std::string path = state_ + "/ship.log";
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0 && info.st_size >= kMostBytes) {
    ::rename(path.c_str(), (state_ + "/ship.1.log").c_str());
  }
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (file.valid()) static_cast<void>(write_all(file.get(), time_text(world_.clock.wall()) + " " + shown + "\n"));
}

void ShipLog::now(const std::string& subject, const std::string& text) {
  const auto found = said_.find(subject);
  if (found == said_.end() && (text.empty() || said_.size() >= kMostSubjects)) return;
  Said& said = said_[subject];
  if (said.text == text) return;
  const Nanos boot = world_.clock.boot();
  if (boot >= said.since + kIn) said.since = boot, said.lines = 0;
  if (said.lines >= kMostLines) return;
  said.text = text;
  ++said.lines;
  line(text.empty() ? subject + " is well again" : subject + ": " + text);
}

}  // namespace mcptrace::app
