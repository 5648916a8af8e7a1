#include "app/proxy_command.h"

#include <malloc.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <vector>

#include "app/producer.h"
#include "app/proxy_options.h"
#include "app/secret.h"
#include "app/shipping.h"
#include "observe/acceptance_file.h"
#include "observe/declared_file.h"
#include "proxy/tracing.h"

namespace mcptrace::app {
namespace {

// A proxy has many clients, and is no wrapper that must be small: room for what they say while the observer waits for
// its turn on a busy machine.
constexpr std::size_t kQueueBytes = 2 << 20;
// For some fifty sessions that end on a full disk.
constexpr std::uint64_t kKeptBytes = 64 << 10;
constexpr int kReturned = 4 << 20;
constexpr int kKept = 128 << 20;

std::string listening_line(const ProxyCommandOptions& options, const proxy::Proxy& proxy, std::string_view state) {
  std::string text = "listening on ";
  text += options.proxy.certificate ? "https://" : "http://";
  text += proxy.authority() + " →";
  for (const proxy::Route& route : options.proxy.routes) {
    // Neither path nor anything else of an address: it may be a secret.
    text += " " + (route.prefix.empty() ? "" : route.prefix + "=") + route.upstream.origin();
    if (route.forward_proxy) text += " through " + route.forward_proxy->origin();
  }
  if (proxy.ready_port() != 0) text += ", ready on port " + std::to_string(proxy.ready_port());
  text += state.empty() ? ", not traced" : ", state in " + std::string(state);
  return text + ", pid " + std::to_string(getpid());
}

// What a route's spans are called by, unless a name was given: the route, and the server as configured.
std::string service_of(const proxy::Route& route) {
  return (route.prefix.empty() ? "" : route.prefix + " ") + route.upstream.authority;
}

// Which server that is, whatever its spans are called.
std::string route_print(const HashKey& key, const proxy::Route& route) {
  return print_of(key, "route", std::array{route.prefix, route.upstream.origin() + route.upstream.path});
}

observe::ObserverOptions proxy_observer_options(const ProxyCommandOptions& options, const HashKey& key,
                                                const std::string& state, Random& random,
                                                observe::DeclaredNames& declared) {
  observe::ObserverOptions observer = observer_options(options, state, "proxy", random);
  observer.tracer.transport = "tcp";
  observer.tracer.declared = &declared;
  observer.queue_bytes = kQueueBytes;
  observer.spool.kept_bytes = kKeptBytes;
  for (const proxy::Route& route : options.proxy.routes) {
    const std::string name = options.service_name.empty() ? service_of(route) : options.service_name;
    observer.tracer.routes.push_back(
        {name, route.upstream.host, route.upstream.port, "route " + route_print(key, route)});
  }
  return observer;
}

proxy::TracingOptions tracing_options(const ProxyCommandOptions& options) {
  proxy::TracingOptions tracing;
  tracing.inject = options.inject != observe::InjectMode::kNever;
  tracing.trust_proxy = options.trust_proxy;
  tracing.trusted_proxies = options.trusted_proxies;
  tracing.client_address = options.client_address;
  tracing.hold_bytes = options.hold_bytes;
  tracing.parent = options.parent;
  tracing.conversation_headers = options.conversation_headers;
  tracing.name = options.service_name;
  for (const proxy::Route& route : options.proxy.routes) tracing.route_names.push_back(service_of(route));
  return tracing;
}

// What the servers of all routes accept.
class Accepted {
 public:
  Accepted(const ProxyCommandOptions& options, const HashKey& key, const std::string& state, Log& log) {
    for (const proxy::Route& route : options.proxy.routes) {
      const std::string label = route.prefix.empty() ? "the server" : "the server of " + route.prefix;
      auto& one = routes_.emplace_back(std::make_unique<One>());
      one->file.emplace(one->acceptance, state + "/servers", route_print(key, route), label, log);
    }
  }
  void load(Nanos wall) {
    for (const auto& one : routes_) one->file->load(wall);
  }
  void save(Nanos wall) {
    for (const auto& one : routes_) one->file->save(wall);
  }
  std::vector<observe::Acceptance*> all() {
    std::vector<observe::Acceptance*> all;
    for (const auto& one : routes_) all.push_back(&one->acceptance);
    return all;
  }

 private:
  struct One {
    observe::Acceptance acceptance;
    std::optional<observe::AcceptanceFile> file;
  };
  std::vector<std::unique_ptr<One>> routes_;
};

// All that tracing a proxy takes, made in one go.
class Traced {
 public:
  Traced(World& world, const ProxyCommandOptions& options, Log& log, const HashKey& key, const std::string& state)
      : log_(log),
        state_(state),
        key_(key),
        declared_(state + "/declared", key_, log),
        shipping_(world, options, state, key_, log),
        accepted_(options, key_, state, log),
        observer_(observing(proxy_observer_options(options, key_, state, world.random, declared_)), activity_,
                  world.clock, observer_random_, log),
        sink_(observer_),
        tracing_(asking(options), key_, world.random, sink_) {
    accepted_.load(world.clock.now().wall);
  }

  // Null: nothing is traced, and that was said.
  proxy::TapSource* start() {
    const Result<> started = observer_.start();
    if (started) return &tracing_;
    log_.once(LogReason::kAtStart, not_traced(started.error()));
    return nullptr;
  }
  [[nodiscard]] bool finish() {
    if (!observer_.finish({}, kPatience)) return false;
    shipping_.flush(observer_.first_file());
    return true;
  }
  [[nodiscard]] const std::string& state() const { return state_; }

 private:
  observe::ObserverOptions observing(observe::ObserverOptions observer) {
    observer.keep = [this](Nanos wall) { accepted_.save(wall); };
    shipping_.attach(observer);
    return observer;
  }
  proxy::TracingOptions asking(const ProxyCommandOptions& options) {
    proxy::TracingOptions tracing = tracing_options(options);
    if (options.inject == observe::InjectMode::kAuto) tracing.acceptance = accepted_.all();
    return tracing;
  }

  Log& log_;
  std::string state_;
  HashKey key_;
  SystemRandom observer_random_;
  observe::Activity activity_;
  observe::DeclaredFile declared_;
  Shipping shipping_;
  Accepted accepted_;
  observe::Observer observer_;
  proxy::ObserverSink sink_;
  proxy::Tracing tracing_;
};

// Null: nothing is traced, and that was said. Error: a secret that was asked for and cannot be used.
Result<std::unique_ptr<Traced>> make_traced(World& world, const ProxyCommandOptions& options, Log& log) {
  const Result<std::string> state = state_directory(world);
  if (!state) {
    log.once(LogReason::kAtStart, not_traced(state.error()));
    return nullptr;
  }
  std::optional<HashKey> key;
  if (options.secret_file.empty()) {
    key.emplace(installation_key(*state, world.random, log));
  } else {
    auto secret = load_secret(options.secret_file);
    if (!secret) return std::unexpected(Error{secret.error().code, "--secret-file " + secret.error().message});
    key.emplace(*secret);
  }
  try {
    return std::make_unique<Traced>(world, options, log, *key, *state);
  } catch (const std::bad_alloc&) {
    log.once(LogReason::kAtStart, not_traced({Errc::kLimit, "there is not enough memory"}));
    return nullptr;
  }
}

// `traced`: null = nothing is traced.
int serve(World& world, const ProxyCommandOptions& options, Log& log, Traced* traced) {
  auto proxy = proxy::Proxy::make(options.proxy, world.clock, log);
  if (!proxy) {
    say(world, proxy.error().message);
    return 1;
  }
  std::signal(SIGPIPE, SIG_IGN);  // whoever read our stderr may be gone
  proxy::TapSource* const tracing = traced != nullptr ? traced->start() : nullptr;
  say(world, listening_line(options, **proxy, tracing != nullptr ? traced->state() : std::string()));
  (*proxy)->run(tracing);
  return 0;
}

}  // namespace

int proxy_command(World& world, std::span<const std::string> args) {
  // What bodies are held in is used again at once, and goes back to the system when it has not been for a while
  // (http/read_buffers.h); what is larger, as soon as it is free.
  mallopt(M_MMAP_THRESHOLD, kReturned);
  mallopt(M_TRIM_THRESHOLD, kKept);
  Log log(world.stderr_fd);
  auto parsed = parse_proxy(world, args, log);
  if (!parsed) {
    say(world, parsed.error().message);
    return 2;
  }
  if (parsed->help) return print(world, proxy_help());
  enter(world, parsed->options.installation);
  const ProxyCommandOptions& options = parsed->options;
  std::unique_ptr<Traced> traced;
  if (!options.disabled) {
    auto made = make_traced(world, options, log);
    if (!made) {
      say(world, made.error().message);
      return 1;
    }
    traced = *std::move(made);
  }
  const int status = serve(world, options, log, traced.get());
  // Where the observer does not finish, its thread still uses what lives here.
  if (traced && !traced->finish()) std::_Exit(status);
  return status;
}

}  // namespace mcptrace::app
