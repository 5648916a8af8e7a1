#include "proxy/proxy.h"

#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/signal_set.hpp>
#include <boost/system/system_error.hpp>
#include <csignal>
#include <new>

#include "base/orphans.h"
#include "proxy/exchange.h"
#include "proxy/ready.h"

namespace mcptrace::proxy {
namespace {

constexpr std::size_t kOwnDescriptors = 64;  // the spool's, the resolver's, standard streams
constexpr std::size_t kMostConnections = 32768;
constexpr std::size_t kReadyConnections = 16;

// As many as there are descriptors for, two each: the client's and the server's.
std::size_t connections_possible() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kMostConnections;
  const auto descriptors = static_cast<std::size_t>(limit.rlim_cur);
  return std::clamp<std::size_t>(descriptors > kOwnDescriptors ? (descriptors - kOwnDescriptors) / 2 : 1, 1,
                                 kMostConnections);
}

}  // namespace

class Proxy::Impl {
 public:
  Impl(ProxyOptions options, RouteTable routes, const Clock& clock, Log& log)
      : options_(std::move(options)),
        context_{.http = {io_, clock,
                          [this](http::Stream& client, http::Signal& signal, const http::PeerAddress& peer) {
                            return std::make_unique<Exchange>(context_, client, signal, peer);
                          }},
                 .log = log,
                 .routes = std::move(routes),
                 .pools = {},
                 .access = *options_.access,
                 .tracing = nullptr,
                 .keep_host = options_.keep_host,
                 .trust_proxy = options_.trust_proxy,
                 .trusted_proxies = options_.trusted_proxies,
                 .tls = options_.certificate.has_value()},
        ready_context_{io_, clock,
                       [this](http::Stream& client, http::Signal&, const http::PeerAddress&) {
                         return std::make_unique<Ready>(client, context_.http.draining);
                       }},
        signals_(io_.get_executor(), SIGTERM, SIGINT),
        reload_(io_.get_executor(), SIGHUP),
        orphans_(io_.get_executor()),
        drain_timer_(io_.get_executor()) {}

  Result<> open() {
    const bool any_tls = std::ranges::any_of(options_.routes, [](const Route& route) { return route.upstream.tls; });
    if (any_tls) {
      MCPTRACE_TRY(TlsClient tls, TlsClient::make(options_.upstream_ca));
      tls_ = std::make_unique<TlsClient>(std::move(tls));
    }
    for (const Route& route : options_.routes) {
      context_.pools.push_back(std::make_unique<UpstreamPool>(io_, context_.http.clock, route.upstream,
                                                              route.forward_proxy, tls_.get(), context_.log));
    }
    std::shared_ptr<asio::ssl::context> certificate;
    if (options_.certificate) {
      MCPTRACE_TRY(certificate, http::load_certificate(*options_.certificate));
    }
    MCPTRACE_TRY(http::Acceptor acceptor, http::open_listener(io_, options_.listen, options_.inherited_listener));
    listener_ = std::make_unique<http::Listener>(context_.http, std::move(acceptor), std::move(certificate),
                                                 connections_possible());
    if (options_.ready) {
      MCPTRACE_TRY(http::Acceptor ready, http::open_listener(io_, *options_.ready, -1));
      ready_ = std::make_unique<http::Listener>(ready_context_, std::move(ready), nullptr, kReadyConnections);
    }
    return {};
  }

  [[nodiscard]] std::string authority() const { return listener_->authority(); }
  [[nodiscard]] std::uint16_t ready_port() const { return ready_ ? ready_->port() : 0; }

  void run(TapSource* tracing) {
    context_.tracing = tracing;
    listener_->start();
    if (ready_) ready_->start();
    wait_for_signal();
    wait_for_reload();
    if (adopts_orphans()) wait_for_orphans();
    while (!io_.stopped()) {
      try {
        io_.run();
      } catch (const std::bad_alloc&) {
        // What it was needed for does not go on; all else does.
        context_.log.once(LogReason::kNoMemory, "memory ran out: connections may have been lost");
        listener_->resume();
      }
    }
  }

 private:
  void wait_for_signal() {
    signals_.async_wait([this](const http::error_code& error, int) {
      if (error) return;
      if (context_.http.draining) return listener_->stop();
      drain();
      wait_for_signal();
    });
  }

  void drain() {
    drain_timer_.expires_after(options_.drain);
    drain_timer_.async_wait([this](const http::error_code& error) {
      if (!error) listener_->stop();
    });
    listener_->drain([this] { finish(); });
  }

  // Nobody is left: what could still wake us goes, and run() returns.
  void finish() {
    drain_timer_.cancel();
    signals_.cancel();
    reload_.cancel();
    orphans_.cancel();
    if (ready_) ready_->stop();
    for (const auto& pool : context_.pools) pool->close_idle();
    io_.stop();
  }

  void wait_for_reload() {
    reload_.async_wait([this](const http::error_code& error, int) {
      if (error) return;
      if (options_.certificate) {
        if (auto certificate = http::load_certificate(*options_.certificate)) {
          listener_->set_certificate(*std::move(certificate));
        } else {
          context_.log.once(LogReason::kConfiguration, "the old certificate stays: " + certificate.error().message);
        }
      }
      wait_for_reload();
    });
  }

  // Those that ended before we listened, too. The proxy has no children of its own.
  void wait_for_orphans() {
    http::error_code failed;
    orphans_.add(SIGCHLD, failed);
    take_orphans();
  }

  void take_orphans() {
    reap_orphans(-1);
    orphans_.async_wait([this](const http::error_code& error, int) {
      if (!error) take_orphans();
    });
  }

  ProxyOptions options_;
  asio::io_context io_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  std::unique_ptr<TlsClient> tls_;
  Context context_;
  http::Context ready_context_;
  std::unique_ptr<http::Listener> listener_, ready_;
  asio::signal_set signals_, reload_, orphans_;
  http::Timer drain_timer_;
};

Proxy::Proxy(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Proxy::~Proxy() = default;

Result<std::unique_ptr<Proxy>> Proxy::make(ProxyOptions options, const Clock& clock, Log& log) {
  MCPTRACE_TRY(RouteTable routes, RouteTable::make(options.routes));
  try {
    auto impl = std::make_unique<Impl>(std::move(options), std::move(routes), clock, log);
    MCPTRACE_TRY_VOID(impl->open());
    return std::unique_ptr<Proxy>(new Proxy(std::move(impl)));
  } catch (const boost::system::system_error& error) {  // what Asio needs for itself: epoll(7) and the like
    return std::unexpected(Error{Errc::kIo, std::string("cannot start: ") + error.what()});
  }
}

std::string Proxy::authority() const { return impl_->authority(); }
std::uint16_t Proxy::ready_port() const { return impl_->ready_port(); }
void Proxy::run(TapSource* tracing) { impl_->run(tracing); }

}  // namespace mcptrace::proxy
