#include "app/run_command.h"

#include <unistd.h>

#include <array>

#include "app/producer.h"
#include "app/run_options.h"
#include "base/fd.h"
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

observe::ObserverOptions run_observer_options(const RunOptions& options, const observe::Placement& placement,
                                              const HashKey& key, const std::string& state_directory, Random& random,
                                              observe::DeclaredNames& declared) {
  observe::ObserverOptions observer = observer_options(options, state_directory, "run", random);
  observer.tracer.command_print = print_of(key, "command", options.command);
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

int cannot_start(Log& log, const Error& error) {
  log.once(LogReason::kChild, "cannot start the server: " + error.message);
  return 126;
}

int relay_only(const RunOptions& options, Log& log) {
  stdio::PlainClientTap client;
  stdio::PlainServerTap server;
  const auto child = stdio::run({.command = options.command}, client, server, log, [](int) {});
  if (!child) return cannot_start(log, child.error());
  stdio::exit_like(*child);
}

int relay_traced(World& world, const RunOptions& options, Log& log) {
  const Result<std::string> state = state_directory(world);
  if (!state) {
    log.once(LogReason::kStateDirectory, "nothing is traced, traffic is not affected: " + state.error().message);
    return relay_only(options, log);
  }
  const HashKey key = installation_key(*state, world.random, log);
  SystemRandom observer_random;
  observe::PlacementOptions placing;
  placing.name = options.service_name;
  placing.inject = options.inject != observe::InjectMode::kNever;
  placing.environment = options.environment;
  placing.environment_state = options.environment_state;
  observe::Activity activity;
  observe::Acceptance acceptance;
  observe::AcceptanceFile accepted(acceptance, *state + "/servers", print_of(key, "command", options.command),
                                   "the server", log);
  accepted.load(world.clock.now().wall);
  if (options.inject == observe::InjectMode::kAuto) placing.acceptance = &acceptance;
  observe::Placement placement(placing, key, world.random, activity);
  observe::DeclaredFile declared(*state + "/declared", key, log);
  observe::ObserverOptions observing = run_observer_options(options, placement, key, *state, world.random, declared);
  observing.keep = [&accepted](Nanos wall) { accepted.save(wall); };
  observe::Observer observer(std::move(observing), activity, world.clock, observer_random, log);
  const mcp::ScanOptions scan{mcp::default_conversation_keys()};
  stdio::TracedClientTap client(mcp::MessageScanner(mcp::Direction::kClientToServer, key, scan),
                                options.inject != observe::InjectMode::kNever, placement, observer, activity,
                                world.clock);
  stdio::TracedServerTap server(mcp::MessageScanner(mcp::Direction::kServerToClient, key, scan), observer, activity,
                                placing.acceptance, world.clock);
  const auto child = stdio::run({.command = options.command}, client, server, log, [&](int) { observer.start(); });
  if (!child) return cannot_start(log, child.error());
  if (!child->started) observer.start();
  observer.finish(traffic_end(*child), kPatience);
  // Ends the process at once: where the observer did not finish, its thread still uses what lives here.
  stdio::exit_like(*child);
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
  if (parsed->help) return print(world, kRunHelp);
  return parsed->options.disabled ? relay_only(parsed->options, log) : relay_traced(world, parsed->options, log);
}

}  // namespace mcptrace::app
