#include "app/ship_loop.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "app/commands.h"
#include "app/secret.h"
#include "app/ship_destinations.h"
#include "app/ship_log.h"
#include "app/ship_watch.h"
#include "client/client.h"
#include "config/reference.h"
#include "config/source.h"
#include "ship/ship.h"
#include "spool/cursor.h"
#include "spool/destinations.h"
#include "spool/reader.h"
#include "spool/shipper.h"

namespace mcptrace::app {
namespace {

using namespace std::chrono_literals;

constexpr Nanos kLookEvery = 1s;           // a lock that was let go makes no event
constexpr Nanos kReadAtMostEvery = 100ms;  // writes of a busy process are events, each
constexpr Nanos kQuietEvery = 500ms;
constexpr Nanos kReloadEvery = 10s;
constexpr Nanos kLastAnswers = 5s;  // at SIGTERM, for what is under way
constexpr Nanos kOncePatience = 30s;
constexpr Nanos kForgetAfter = 24h;
// Two of each destination: of those that hang none is taken from the others.
constexpr std::size_t kMostConnections = 256;

Result<HashKey> key_of(const std::string& state, Random& random) {
  MCPTRACE_TRY(const Secret secret, load_or_make_secret(state, random));
  return HashKey(secret);
}

bool any_held(const std::string& state) {
  const auto files = spool::list_files(state + "/spool");
  return files && std::ranges::any_of(*files, &spool::FileInfo::locked);
}

class ShipProcess {
 public:
  ShipProcess(World& world, const config::FoundFile& file, const std::string& state, const HashKey& key,
              spool::ShipLock lock)
      : world_(world),
        state_(state),
        lock_(std::move(lock)),
        log_(world, state),
        source_({.environment = world.environment, .home = world.home, .given = config::given_for(file)}),
        client_(world.environment, {.most_connections = kMostConnections}),
        place_{state,
               key,
               world.clock,
               world.random,
               client_,
               compressor_,
               [this](const std::string& reference) { return config::resolve(reference, world_.environment); }},
        ship_(place_),
        watch_(state),
        hurried_(spool::hurry_asked(state)) {}

  // The exit status.
  int run(ShipUntil until) {
    reload();
    // Where the file is broken it may be mended while somebody traces.
    const bool may_come = until == ShipUntil::kToldSo || (until == ShipUntil::kQuiet && !config_);
    if (names_.empty() && !may_come) {
      say(world_, "no destination is configured (docs/backends.md)");
      return kMisused;
    }
    bool changed = true;
    while (!is_over(until)) {
      const Nanos now = world_.clock.boot();
      if (now >= reload_at_) reload_if_changed();
      const bool read = changed && (hurries_ || now >= read_next_);
      ship_.pump(read, hurries_ || until == ShipUntil::kDelivered);
      if (read) changed = false, read_next_ = after_reading(now);
      tell();
      if (hurries_ && !changed && ship_.done()) hurries_ = false;
      // Of what is known already nobody need be woken.
      client_.run(wait(changed), changed && !hurries_ ? -1 : watch_.fd());
      changed |= wake();
      if (end_) return finish();
    }
    ship_.save();
    return until == ShipUntil::kDelivered && !(ship_.done() && ship_.all_taken()) ? kFailed : kDone;
  }

 private:
  // Looking at a large spool takes its time, and is to be a small share of it.
  Nanos after_reading(Nanos began) {
    const Nanos now = world_.clock.boot();
    return now + std::clamp<Nanos>(10 * (now - began), kReadAtMostEvery, kLookEvery);
  }

  void reload() {
    auto config = source_.reload();
    if (config) {
      config_ = *std::move(config);
      log_.now("configuration", "");
    } else {
      log_.now("configuration", config.error().message + (config_ ? "; the old values hold" : ""));
    }
    set_destinations();
    ship_.try_again();
    reload_at_ = world_.clock.boot() + kReloadEvery;
  }

  void reload_if_changed() {
    if (source_.changed()) return reload();
    forget_destinations();
    set_destinations();
    reload_at_ = world_.clock.boot() + kReloadEvery;
  }

  void set_destinations() {
    Destinations found = find_destinations(config_ ? &*config_ : nullptr, state_);
    std::vector<std::string> names;
    for (const ship::Wanted& wanted : found.wanted) {
      names.push_back(wanted.settings.name);
      if (!wanted.settings.retired.empty())
        found.errors.push_back(wanted.settings.name + ": " + wanted.settings.retired);
    }
    ship_.set(std::move(found.wanted));
    std::ranges::move(ship_.take_errors(), std::back_inserter(found.errors));
    std::string errors;
    for (const std::string& error : found.errors) errors += (errors.empty() ? "" : "; ") + error;
    log_.now("destinations", errors);
    if (names == names_) return;
    names_ = std::move(names);
    if (auto served = lock_.serve(names_); !served) log_.now("state directory", served.error().message);
  }

  // Of the environment of processes that are no more: once all of it is delivered, and nobody names it.
  void forget_destinations() {
    // Their shippers have ended by now.
    for (const std::string& name : std::exchange(forgotten_, {})) {
      if (std::ranges::find(names_, name) != names_.end()) continue;  // it came back
      spool::remove_cursor(state_ + "/spool", spool::ship_cursor(name));
      std::error_code ignored;
      std::filesystem::remove_all(ship::directory_of(state_, name), ignored);
    }
    const Nanos since = world_.clock.wall() - kForgetAfter;
    for (const spool::LeftDestination& left : spool::left_destinations(state_)) {
      const ship::Shipper* const shipper = ship_.find(left.name);
      if (left.touched >= since || shipper == nullptr || !shipper->done()) continue;
      if (spool::forget_destination(state_, left.name, since)) forgotten_.push_back(left.name);
    }
  }

  // What has changed of how destinations do.
  void tell() {
    for (const std::string& name : names_) {
      const ship::Shipper* const shipper = ship_.find(name);
      if (shipper != nullptr) log_.now(name, shipper->does_well() ? "" : shipper->status().error);
    }
  }

  Nanos wait(bool changed) {
    const Nanos now = world_.clock.boot();
    Nanos until = now + kLookEvery;
    if (const auto next = ship_.next_deadline()) until = std::min(until, *next);
    if (changed) until = std::min(until, hurries_ ? now : read_next_);
    if (ship_.has_more()) until = now;
    return std::max(until - now, Nanos(0));
  }

  // Whether the spool may hold more.
  bool wake() {
    const ShipWatch::Seen seen = watch_.take();
    const Nanos now = world_.clock.boot();
    end_ = seen.end;
    if (seen.reload) reload();
    if (seen.changed) set_destinations_if_left();
    if (const Nanos asked = spool::hurry_asked(state_); asked > hurried_) {
      hurried_ = asked;
      hurries_ = true;
      return true;
    }
    if (!seen.changed && now < looked_at_ + kLookEvery) return false;
    looked_at_ = now;
    return true;
  }

  void set_destinations_if_left() {
    for (const spool::LeftDestination& left : spool::left_destinations(state_)) {
      if (std::ranges::find(names_, left.name) == names_.end()) return set_destinations();
    }
  }

  bool is_over(ShipUntil until) {
    if (until == ShipUntil::kToldSo || !ship_.done()) {
      return until == ShipUntil::kDelivered && has_failed_for_long();
    }
    if (until == ShipUntil::kDelivered) return true;
    const Nanos now = world_.clock.boot();
    if (now < quiet_next_) return false;
    quiet_next_ = now + kQuietEvery;
    // Whatever was written before the file was let go is read before we end.
    const bool quiet = !any_held(state_);
    if (std::exchange(was_quiet_, quiet) && quiet) return true;
    if (!quiet) return false;
    ship_.pump(true, true);
    return false;
  }

  bool has_failed_for_long() {
    const Nanos now = world_.clock.boot();
    if (!ship_.only_failures_left())
      failing_since_.reset();
    else if (!failing_since_)
      failing_since_ = now;
    return failing_since_ && now >= *failing_since_ + kOncePatience;
  }

  int finish() {
    ship_.set({});
    const Nanos end = world_.clock.boot() + kLastAnswers;
    while (!ship_.done() && world_.clock.boot() < end) {
      client_.run(end - world_.clock.boot());
      ship_.pump(false, false);
    }
    return kDone;
  }

  World& world_;
  const std::string& state_;
  spool::ShipLock lock_;
  ShipLog log_;
  config::Source source_;
  std::optional<config::Config> config_;
  client::Client client_;
  ship::Compressor compressor_;
  ship::Place place_;
  ship::Ship ship_;
  ShipWatch watch_;
  std::vector<std::string> names_;
  Nanos hurried_;                                                 // wall
  Nanos reload_at_{}, read_next_{}, looked_at_{}, quiet_next_{};  // boot
  std::vector<std::string> forgotten_;
  std::optional<Nanos> failing_since_;
  bool hurries_ = false, end_ = false, was_quiet_ = false;
};

// Until whoever ships now has delivered what is there; for the user of --once.
int wait_for_other(World& world, const std::string& state) {
  const std::string spool = state + "/spool";
  const auto files = spool::list_files(spool);
  if (!files) return fail(world, files.error());
  const auto has_all = [&](const std::string& destination) {
    const spool::Positions at = spool::read_cursor(spool, spool::ship_cursor(destination));
    return std::ranges::all_of(*files, [&](const spool::FileInfo& file) {
      const auto position = at.find(file.path.substr(file.path.rfind('/') + 1));
      return position != at.end() && position->second >= file.bytes;
    });
  };
  const Nanos end = world.clock.boot() + kOncePatience;
  static_cast<void>(spool::ask_to_hurry(state));
  while (world.clock.boot() < end) {
    const auto served = spool::served(state);
    if (served && std::ranges::all_of(*served, has_all)) return kDone;
    ::usleep(50'000);
  }
  say(world, "another process ships, and has not delivered all of it within 30 s (see mcptrace ship status)");
  return kFailed;
}

// --stay waits until whoever ships now has ended, --once lets it do the work.
Result<std::optional<spool::ShipLock>> take_lock(ShipUntil until, const std::string& state) {
  // Who waits has read nothing yet that a reload could change.
  if (until == ShipUntil::kToldSo) ::signal(SIGHUP, SIG_IGN);
  for (;;) {
    MCPTRACE_TRY(std::optional<spool::ShipLock> lock, spool::ShipLock::take(state));
    if (lock || until != ShipUntil::kToldSo) return lock;
    ::sleep(1);
  }
}

}  // namespace

int ship_until(ShipUntil until, World& world, const config::FoundFile& file, const std::string& state) {
  auto key = key_of(state, world.random);
  if (!key) return fail(world, key.error());
  // Whoever appended when we still held the lock has a file by now.
  for (;;) {
    auto lock = take_lock(until, state);
    if (!lock) return fail(world, lock.error());
    if (!*lock) {
      return until == ShipUntil::kDelivered ? wait_for_other(world, state) : kDone;
    }
    const int status = ShipProcess(world, file, state, *key, **std::move(lock)).run(until);
    if (until != ShipUntil::kQuiet || status != kDone || !any_held(state)) return status;
  }
}

}  // namespace mcptrace::app
