#include "app/ship_starter.h"

#include <algorithm>

#include "app/programs.h"
#include "base/text.h"
#include "config/locate.h"
#include "spool/shipper.h"

namespace mcptrace::app {
namespace {

constexpr Nanos kCheckEvery = std::chrono::seconds(10);

constexpr std::string_view kStatePath = "MCPTRACE_HOME";
constexpr std::string_view kConfigurationPath = "MCPTRACE_CONFIG";
constexpr std::string_view kPassedOn[] = {"HOME", "PATH", "TZ", "LANG", kConfigurationPath};
constexpr std::string_view kPassedOnAnyCase[] = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"};
constexpr std::string_view kPassedOnPrefixes[] = {"XDG_", "MCPTRACE_", "SSL_CERT_"};

bool is_passed_on(std::string_view name, const std::vector<std::string>& referenced) {
  return std::ranges::find(kPassedOn, name) != std::end(kPassedOn) ||
         std::ranges::find(referenced, name) != referenced.end() ||
         std::ranges::any_of(kPassedOnAnyCase, [&](std::string_view other) { return same_text(name, other); }) ||
         std::ranges::any_of(kPassedOnPrefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

std::string absolute(std::string_view path, const std::string& working_directory) {
  if (path.starts_with('/') || working_directory.empty()) return std::string(path);
  return working_directory + "/" + std::string(path);
}

}  // namespace

std::vector<std::string> ship_environment(const std::vector<std::string>& ours, const std::string& state,
                                          const std::vector<std::string>& referenced,
                                          const std::string& working_directory) {
  std::vector<std::string> environment;
  for (const std::string& entry : ours) {
    const std::string_view name = std::string_view(entry).substr(0, entry.find('='));
    if (name == kStatePath || !is_passed_on(name, referenced)) continue;
    environment.push_back(entry);
    if (name != kConfigurationPath || entry.size() <= name.size() + 1) continue;
    const std::string path = entry.substr(name.size() + 1);
    if (path == config::kNoFile) continue;
    environment.back() = entry.substr(0, name.size() + 1) + absolute(path, working_directory);
  }
  environment.push_back(std::string(kStatePath) + "=" + absolute(state, working_directory));
  return environment;
}

DetachedProgram ship_program(const World& world, const std::string& state, const std::vector<std::string>& referenced,
                             const std::vector<std::string>& arguments) {
  DetachedProgram ship{
      .places = program_paths("mcptrace-backend"),
      .arguments = {"mcptrace", "ship"},
      .environment = ship_environment(world.environment_entries(), state, referenced, world.working_directory)};
  ship.arguments.insert(ship.arguments.end(), arguments.begin(), arguments.end());
  return ship;
}

bool ShipStarter::check() {
  const Nanos now = clock_.boot();
  if (next_ && now < *next_) return false;
  next_ = now + kCheckEvery;
  start();
  return true;
}

void ShipStarter::start() {
  if (spool::has_shipper(state_)) return;
  const Result<> started = start_detached(ship_);
  if (started) return;
  ++failures_;
  log_.once(LogReason::kShip,
            "what is traced is kept and not sent, traffic is not affected: " + started.error().message);
}

}  // namespace mcptrace::app
