// mcptrace ship: the process that takes what is in the spool. It delivers nothing yet: what each destination is told is
// done with.
#include <poll.h>

#include <algorithm>
#include <map>

#include "app/commands.h"
#include "ledger/feed.h"
#include "spool/destinations.h"
#include "spool/reader.h"
#include "spool/shipper.h"

namespace mcptrace::app {
namespace {

constexpr int kLookEveryMs = 50;

class Ship {
 public:
  Ship(std::string state, spool::ShipLock lock) : state_(std::move(state)), lock_(std::move(lock)) {}

  Result<> open() {
    for (const spool::LeftDestination& left : spool::left_destinations(state_)) {
      if (feeds_.contains(left.name)) continue;
      MCPTRACE_TRY(ledger::Feed feed,
                   ledger::Feed::open(state_ + "/spool", spool::ship_cursor(left.name), {.destination = left.name}));
      feeds_.emplace(left.name, std::move(feed));
    }
    std::vector<std::string> names;
    for (const auto& [name, feed] : feeds_) names.push_back(name);
    return lock_.serve(names);
  }

  // Whether there was anything.
  Result<bool> work() {
    bool any = false;
    for (auto& [name, feed] : feeds_) {
      MCPTRACE_TRY(const std::size_t told, feed.read([](const ledger::Entry&) {}));
      MCPTRACE_TRY_VOID(feed.save({}));
      any |= told != 0;
    }
    return any;
  }

 private:
  std::string state_;
  spool::ShipLock lock_;
  std::map<std::string, ledger::Feed> feeds_;
};

Result<bool> any_held(const std::string& state) {
  MCPTRACE_TRY(const std::vector<spool::FileInfo> files, spool::list_files(state + "/spool"));
  return std::ranges::any_of(files, &spool::FileInfo::locked);
}

Result<> ship_until_quiet(const std::string& state, spool::ShipLock lock) {
  Ship ship(state, std::move(lock));
  for (int quiet = 0; quiet < 3;) {
    MCPTRACE_TRY_VOID(ship.open());
    MCPTRACE_TRY(const bool told, ship.work());
    MCPTRACE_TRY(const bool held, any_held(state));
    quiet = told || held ? 0 : quiet + 1;
    ::poll(nullptr, 0, kLookEveryMs);
  }
  return {};
}

// Whoever appended when we still held the lock has a file by now.
Result<> ship(const std::string& state) {
  for (bool held = true; held;) {
    MCPTRACE_TRY(std::optional<spool::ShipLock> lock, spool::ShipLock::take(state));
    if (!lock) return {};
    MCPTRACE_TRY_VOID(ship_until_quiet(state, *std::move(lock)));
    MCPTRACE_TRY(held, any_held(state));
  }
  return {};
}

}  // namespace

int ship_command(World& world, std::span<const std::string> arguments) {
  if (!arguments.empty()) {
    return print(world, "Usage: mcptrace ship\n\nSends what was traced to the configured backends.\n");
  }
  const auto state = state_directory(world);
  if (!state) return fail(world, state.error());
  const Result<> done = ship(*state);
  return done ? kDone : fail(world, done.error());
}

}  // namespace mcptrace::app
