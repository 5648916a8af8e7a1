#include "app/run_command.h"

#include <unistd.h>

#include <array>
#include <memory>
#include <new>

#include "app/producer.h"
#include "app/run_options.h"
#include "app/shipping.h"
#include "base/fd.h"
#include "base/page_buffer.h"
#include "observe/acceptance_file.h"
#include "observe/declared_file.h"
#include "stdio/relay.h"
#include "stdio/traced_taps.h"

namespace mcptrace::app {
namespace {

// (boot id, parent's pid, its start time): the same for all servers of one agent, and for no other agent on any
// machine.
std::string client_process(const HashKey& key) {
  const auto boot = read_file("/proc/sys/kernel/random/boot_id", 4096);
  const std::string parent = std::to_string(getppid());
  const auto stat = read_file("/proc/" + parent + "/stat", 4096);
  if (!boot || !stat) return {};
  // Field 22, counted from behind the command's name, which may hold anything.
  std::size_t at = stat->rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat->find(' ', at + 1);
  if (at == std::string::npos) return {};
  const std::string start = stat->substr(at + 1, stat->find(' ', at + 1) - at - 1);
  return print_of(key, "client-process", std::array{*boot, parent, start});
}

observe::PlacementOptions placing(const RunOptions& options, observe::Acceptance* acceptance) {
  observe::PlacementOptions placing;
  placing.name = options.service_name;
  placing.inject = options.inject != observe::InjectMode::kNever;
  placing.acceptance = acceptance;
  placing.environment = options.environment;
  placing.environment_state = options.environment_state;
  return placing;
}

observe::ObserverOptions run_observer_options(const RunOptions& options, const observe::Placement& placement,
                                              const HashKey& key, const std::string& state_directory, Random& random,
                                              observe::DeclaredNames& declared) {
  observe::ObserverOptions observer = observer_options(options, state_directory, "run", random);
  observer.tracer.command_print = print_of(key, "command", options.command);
  observer.tracer.stdio.server = "command " + observer.tracer.command_print;
  observer.tracer.client_process = client_process(key);
  observer.tracer.environment = options.environment;
  observer.tracer.environment_state = options.environment_state;
  observer.tracer.first = placement.first();
  observer.tracer.declared = &declared;
  return observer;
}

observe::TrafficEnd traffic_end(const stdio::ChildExit& child) {
  observe::TrafficEnd end;
  if (!child.started) {
    end.root = observe::RootEnd::kNotStarted;
    end.call_error_type = "server_exit";
  } else if (child.server_first) {
    end.root = observe::RootEnd::kServerFirst;
    end.call_error_type = "server_exit";
  } else if (child.closed_first) {
    end.root = observe::RootEnd::kServerClosed;
    end.call_error_type = "server_closed";
  }
  end.child = {.known = true, .signalled = child.signalled, .code = child.code};
  return end;
}

// All that tracing a run takes, made in one go.
class Tracing {
 public:
  Tracing(World& world, const RunOptions& options, const std::string& state, Log& log)
      : log_(log),
        key_(installation_key(state, world.random, log)),
        accepted_(acceptance_, state + "/servers", print_of(key_, "command", options.command), "the server", log),
        placement_(placing(options, asked(options)), key_, world.random, activity_),
        declared_(state + "/declared", key_, log),
        shipping_(world, options, state, key_, log),
        observer_(observing(run_observer_options(options, placement_, key_, state, world.random, declared_)), activity_,
                  world.clock, observer_random_, log),
        client_(key_, options.inject != observe::InjectMode::kNever, placement_, observer_, activity_, world.clock),
        server_(key_, observer_, activity_, asked(options), world.clock) {
    accepted_.load(world.clock.now().wall);
  }

  // False: nothing is traced, and that was said.
  bool start() {
    const Result<> started = observer_.start();
    if (!started) log_.once(LogReason::kAtStart, not_traced(started.error()));
    return started.has_value();
  }
  stdio::Taps taps() { return {client_, server_}; }
  // Where the observer does not finish, its thread still uses what lives here.
  void finish(const stdio::ChildExit& child) {
    bool finished = true;
    if (!child.started && !observer_.start()) {
      observer_.finish_here(traffic_end(child));
    } else {
      finished = observer_.finish(traffic_end(child), kPatience);
    }
    if (!finished || !shipping_.waits()) return;
    stdio::let_go_of_output();
    shipping_.flush(observer_.first_file());
  }

 private:
  // What is to be asked whether the server accepts it; null: nothing is.
  observe::Acceptance* asked(const RunOptions& options) {
    return options.inject == observe::InjectMode::kAuto ? &acceptance_ : nullptr;
  }
  observe::ObserverOptions observing(observe::ObserverOptions observer) {
    observer.keep = [this](Nanos wall) { accepted_.save(wall); };
    shipping_.attach(observer);
    return observer;
  }

  Log& log_;
  HashKey key_;
  SystemRandom observer_random_;
  observe::Activity activity_;
  observe::Acceptance acceptance_;
  observe::AcceptanceFile accepted_;
  observe::Placement placement_;
  observe::DeclaredFile declared_;
  Shipping shipping_;
  observe::Observer observer_;
  stdio::TracedClientTap client_;
  stdio::TracedServerTap server_;
};

// Null: nothing is traced, and that was said.
std::unique_ptr<Tracing> make_tracing(World& world, const RunOptions& options, Log& log) {
  const Result<std::string> state = state_directory(world);
  if (!state) {
    log.once(LogReason::kAtStart, not_traced(state.error()));
    return nullptr;
  }
  try {
    // Tracing may not take what the relay needs after it.
    constexpr std::size_t kRelayBytes = 512 << 10;
    const PageBuffer left_to_the_relay = make_page_buffer(kRelayBytes);
    return std::make_unique<Tracing>(world, options, *state, log);
  } catch (const std::bad_alloc&) {
    log.once(LogReason::kAtStart, not_traced({Errc::kLimit, "there is not enough memory"}));
    return nullptr;
  }
}

struct PlainTaps {
  stdio::PlainClientTap client;
  stdio::PlainServerTap server;
};

[[noreturn]] void relay(World& world, const RunOptions& options, Log& log) {
  PlainTaps plain;
  // Never destroyed: the process ends at once.
  Tracing* const tracing = options.disabled ? nullptr : make_tracing(world, options, log).release();
  const stdio::ChildExit child = stdio::run({.command = options.command}, log, [&](int) -> stdio::Taps {
    if (tracing != nullptr && tracing->start()) return tracing->taps();
    return {plain.client, plain.server};
  });
  if (tracing != nullptr) tracing->finish(child);
  stdio::exit_like(child);
}

}  // namespace

int run_command(World& world, std::span<const std::string> args) {
  // Before anything is opened: a descriptor that was closed at our start must stay out of the child's way.
  stdio::reserve_standard_fds();
  Log log(world.stderr_fd);
  const auto parsed = parse_run(world, args, log);
  if (!parsed) {
    say(world, parsed.error().message);
    return 2;
  }
  if (parsed->help) return print(world, run_help());
  enter(world, parsed->options.installation);
  try {
    relay(world, parsed->options, log);
  } catch (const std::bad_alloc&) {  // not even for the relay's buffers
    log.once(LogReason::kChild, "cannot run the server: there is not enough memory");
    return 126;
  }
}

}  // namespace mcptrace::app
