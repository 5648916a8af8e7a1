#include "proxy/upstream.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>

#include "http/head_scan.h"

namespace mcptrace::proxy {
namespace {

// Python's usual server closes an idle connection after 5 s, as does Node's, which says so.
constexpr std::chrono::seconds kIdleLimit{4};
constexpr std::chrono::milliseconds kFresh{500};
constexpr std::size_t kMaxIdle = 256;
constexpr std::size_t kStatusBegin = 9;  // behind "HTTP/1.1 "

using Resolver = asio::ip::basic_resolver<asio::ip::tcp, http::Executor>;

// The work of one attempt; its handlers keep it alive, `abandoned` makes them do nothing more.
class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(asio::io_context& io, const UpstreamUrl& url, const std::optional<ForwardProxy>& proxy, TlsClient* tls,
          Log& log, http::Signal& signal)
      : url_(url),
        proxy_(proxy),
        tls_(tls),
        log_(log),
        signal_(&signal),
        resolver_(io.get_executor()),
        timer_(io.get_executor()),
        pause_(io.get_executor()),
        socket_(io.get_executor()) {}

  void start(std::chrono::nanoseconds time_out) {
    timer_.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(time_out));
    timer_.async_wait([self = shared_from_this()](const http::error_code& error) {
      if (!error) self->finish(self->blame(ConnectFailure::kTimeout, ConnectFailure::kProxyTimeout));
    });
    const std::string& host = proxy_ ? proxy_->host : url_.host;
    const std::uint16_t port = proxy_ ? proxy_->port : url_.port;
    http::error_code error;
    const auto address = asio::ip::make_address(host, error);
    if (!error) {
      endpoints_.emplace_back(address, port);
      return try_next();
    }
    resolve(host, std::to_string(port));
  }
  void abandon() {
    signal_ = nullptr;
    finish(ConnectFailure::kTimeout);
  }
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] ConnectFailure failure() const { return failure_; }
  std::shared_ptr<http::Stream> take() { return std::move(stream_); }

 private:
  void resolve(const std::string& host, const std::string& port) {
    try {
      resolver_.async_resolve(
          host, port, Resolver::numeric_service,
          [self = shared_from_this()](const http::error_code& failed, Resolver::results_type results) {
            self->resolved(failed, results);
          });
    } catch (const boost::system::system_error& error) {
      // There is no thread for it. Everything waits while this one does it; without, the server were never reached.
      log_.once(LogReason::kAtStart,
                std::string("traffic stands still while servers' names are looked up: starting a thread: ") +
                    error.code().message());
      http::error_code failed;
      const Resolver::results_type results = resolver_.resolve(host, port, Resolver::numeric_service, failed);
      resolved(failed, results);
    }
  }

  void resolved(const http::error_code& failed, const Resolver::results_type& results) {
    if (failed || results.empty()) return finish(blame(ConnectFailure::kDns, ConnectFailure::kProxyUnreachable));
    for (const auto& result : results) endpoints_.push_back(result.endpoint());
    try_next();
  }

  void try_next() {
    if (done_) return;
    if (next_ == endpoints_.size()) return finish(last_failure_);
    const auto endpoint = endpoints_[next_++];
    http::error_code error;
    socket_.close(error);
    socket_.async_connect(endpoint, [self = shared_from_this()](const http::error_code& failed) {
      if (self->done_) return;
      if (failed && http::is_exhausted(failed)) return self->try_again_later();
      if (failed) {
        const bool refused = failed == asio::error::connection_refused;
        self->last_failure_ = self->blame(refused ? ConnectFailure::kRefused : ConnectFailure::kUnreachable,
                                          ConnectFailure::kProxyUnreachable);
        return self->try_next();
      }
      http::prepare(self->socket_);
      if (self->url_.tls) return self->proxy_ ? self->ask_for_tunnel() : self->shake_hands();
      self->stream_ = http::make_plain_stream(std::move(self->socket_));
      self->finish(ConnectFailure::kNone);
    });
  }

  // Something else has to be closed before there is a socket; the time-out ends this, too.
  void try_again_later() {
    --next_;
    pause_.expires_after(std::chrono::milliseconds(50));
    pause_.async_wait([self = shared_from_this()](const http::error_code& error) {
      if (!error) self->try_next();
    });
  }

  [[nodiscard]] ConnectFailure blame(ConnectFailure server, ConnectFailure proxy) const {
    return proxy_ ? proxy : server;
  }

  // RFC 9110 9.3.6.
  void ask_for_tunnel() {
    tunnel_text_ = tunnel_request(*proxy_, {.tls = true, .host = url_.host, .port = url_.port});
    asio::async_write(socket_, asio::buffer(tunnel_text_),
                      [self = shared_from_this()](const http::error_code& failed, auto) {
                        if (self->done_) return;
                        if (failed) return self->finish(ConnectFailure::kProxyNonsense);
                        self->tunnel_text_.clear();
                        self->read_tunnel_answer();
                      });
  }

  void read_tunnel_answer() {
    constexpr std::size_t kPiece = 1024;
    const std::size_t size = tunnel_text_.size();
    tunnel_text_.resize(size + kPiece);
    socket_.async_read_some(asio::buffer(tunnel_text_.data() + size, kPiece),
                            [self = shared_from_this(), size](const http::error_code& failed, std::size_t count) {
                              if (self->done_) return;
                              if (failed) return self->finish(ConnectFailure::kProxyNonsense);
                              self->tunnel_text_.resize(size + count);
                              self->judge_tunnel_answer();
                            });
  }

  // Only the status counts: what a head that opens a tunnel says of a body is to be passed over.
  void judge_tunnel_answer() {
    http::HeadScan scan(http::HeadScan::Kind::kResponse);
    const http::HeadScan::State state = scan.look(tunnel_text_);
    if (state == http::HeadScan::State::kNeedMore) return read_tunnel_answer();
    if (state == http::HeadScan::State::kBad) return finish(ConnectFailure::kProxyNonsense);
    const std::string_view digits = std::string_view(tunnel_text_).substr(kStatusBegin, 3);
    if (digits.starts_with('1')) {
      tunnel_text_.erase(0, scan.end());
      return tunnel_text_.empty() ? read_tunnel_answer() : judge_tunnel_answer();
    }
    if (digits == "407") return finish(ConnectFailure::kProxyWantsCredentials);
    if (digits.starts_with('4')) return finish(ConnectFailure::kProxyForbids);
    if (digits.starts_with('5')) return finish(ConnectFailure::kProxyFailed);
    // A server does not speak first in TLS.
    if (!digits.starts_with('2') || tunnel_text_.size() != scan.end()) return finish(ConnectFailure::kProxyNonsense);
    shake_hands();
  }

  void shake_hands() {
    tls_socket_ = std::make_unique<http::TlsSocket>(std::move(socket_), tls_->context());
    SSL* const ssl = tls_socket_->native_handle();
    http::error_code error;
    asio::ip::make_address(url_.host, error);
    if (error) SSL_set_tlsext_host_name(ssl, url_.host.c_str());  // a numeric address is no server name (RFC 6066)
    tls_socket_->set_verify_mode(asio::ssl::verify_peer, error);
    tls_socket_->set_verify_callback(asio::ssl::host_name_verification(url_.host), error);
    tls_socket_->async_handshake(http::TlsSocket::client, [self = shared_from_this()](const http::error_code& failed) {
      if (self->done_) return;
      if (failed) return self->finish(ConnectFailure::kTls);
      self->stream_ = http::make_tls_stream(std::move(self->tls_socket_));
      self->finish(ConnectFailure::kNone);
    });
  }

  void finish(ConnectFailure failure) {
    if (done_) return;
    done_ = true;
    failure_ = failure;
    timer_.cancel();
    pause_.cancel();
    if (failure != ConnectFailure::kNone) {
      http::error_code ignored;
      resolver_.cancel();
      socket_.close(ignored);
      if (tls_socket_) tls_socket_->next_layer().close(ignored);
    }
    if (signal_ != nullptr) signal_->fire();
  }

  UpstreamUrl url_;
  std::optional<ForwardProxy> proxy_;
  TlsClient* tls_;
  Log& log_;
  http::Signal* signal_;
  std::string tunnel_text_;  // what we ask the proxy, then its answer
  Resolver resolver_;
  http::Timer timer_, pause_;
  http::Socket socket_;
  std::unique_ptr<http::TlsSocket> tls_socket_;
  std::vector<asio::ip::tcp::endpoint> endpoints_;
  std::size_t next_ = 0;
  std::shared_ptr<http::Stream> stream_;
  bool done_ = false;
  ConnectFailure failure_ = ConnectFailure::kNone, last_failure_ = ConnectFailure::kUnreachable;
};

class ConnectingAttempt final : public Connecting {
 public:
  explicit ConnectingAttempt(std::shared_ptr<Attempt> attempt) : attempt_(std::move(attempt)) {}
  ~ConnectingAttempt() override { attempt_->abandon(); }
  [[nodiscard]] bool done() const override { return attempt_->done(); }
  [[nodiscard]] ConnectFailure failure() const override { return attempt_->failure(); }
  std::shared_ptr<http::Stream> take() override { return attempt_->take(); }

 private:
  std::shared_ptr<Attempt> attempt_;
};

}  // namespace

std::string_view error_type(ConnectFailure failure) {
  switch (failure) {
    case ConnectFailure::kRefused:
    case ConnectFailure::kUnreachable:
      return "refused";
    case ConnectFailure::kDns:
      return "dns";
    case ConnectFailure::kTls:
      return "tls";
    case ConnectFailure::kTimeout:
    case ConnectFailure::kProxyTimeout:
      return "timeout";
    case ConnectFailure::kProxyUnreachable:
    case ConnectFailure::kProxyWantsCredentials:
    case ConnectFailure::kProxyForbids:
    case ConnectFailure::kProxyFailed:
    case ConnectFailure::kProxyNonsense:
      return "proxy";
    case ConnectFailure::kNone:
      break;
  }
  return {};
}

int status_of(ConnectFailure failure) {
  return failure == ConnectFailure::kTimeout || failure == ConnectFailure::kProxyTimeout ? 504 : 502;
}

std::string_view describe(ConnectFailure failure) {
  switch (failure) {
    case ConnectFailure::kRefused:
      return "the server refused the connection";
    case ConnectFailure::kUnreachable:
      return "the server cannot be reached";
    case ConnectFailure::kDns:
      return "the server's name cannot be resolved";
    case ConnectFailure::kTls:
      return "the server's TLS handshake or certificate failed";
    case ConnectFailure::kTimeout:
      return "the server did not accept the connection in time";
    case ConnectFailure::kProxyUnreachable:
      return "the proxy on the way to the server cannot be reached";
    case ConnectFailure::kProxyWantsCredentials:
      return "the proxy on the way to the server wants a user and a password, or others (407)";
    case ConnectFailure::kProxyForbids:
      return "the proxy on the way to the server does not allow this connection";
    case ConnectFailure::kProxyFailed:
      return "the proxy on the way to the server could not connect to it";
    case ConnectFailure::kProxyNonsense:
      return "the proxy on the way to the server does not answer as a proxy does";
    case ConnectFailure::kProxyTimeout:
      return "the proxy on the way to the server did not connect to it in time";
    case ConnectFailure::kNone:
      break;
  }
  return {};
}

Result<TlsClient> TlsClient::make(const std::string& ca_file) {
  TlsClient made;
  made.context_ = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
  http::error_code error;
  SSL_CTX_set_min_proto_version(made.context_->native_handle(), TLS1_2_VERSION);
  if (ca_file.empty()) {
    made.context_->set_default_verify_paths(error);
  } else {
    made.context_->load_verify_file(ca_file, error);
  }
  if (error) {
    return std::unexpected(Error{
        Errc::kIo,
        "no CA certificates from " + (ca_file.empty() ? "the system's store" : ca_file) + ": " + error.message()});
  }
  return made;
}

UpstreamPool::UpstreamPool(asio::io_context& io, const Clock& clock, UpstreamUrl url, std::optional<ForwardProxy> proxy,
                           TlsClient* tls, Log& log)
    : io_(io),
      clock_(clock),
      url_(std::move(url)),
      proxy_(std::move(proxy)),
      tls_(tls),
      log_(log),
      sweeper_(io.get_executor()),
      alive_(std::make_shared<UpstreamPool*>(this)) {}

UpstreamPool::~UpstreamPool() {
  *alive_ = nullptr;
  close_idle();
}

std::shared_ptr<http::Stream> UpstreamPool::take() {
  while (!idle_.empty()) {
    const Idle idle = std::move(idle_.back());
    idle_.pop_back();
    const Nanos now = clock_.boot();
    const bool open = idle.stream->read_end() == http::StreamEnd::kOpen && idle.stream->unread().empty();
    // Just used, it is hardly being closed; later, what has not reached our loop yet is looked for.
    if (open && now < idle.until && (now - idle.since < kFresh || idle.stream->is_quiet())) return idle.stream;
    idle.stream->close();
  }
  return nullptr;
}

void UpstreamPool::put(std::shared_ptr<http::Stream> stream, std::chrono::seconds idle_limit) {
  const auto limit =
      idle_limit.count() > 0 ? std::min(idle_limit - std::chrono::seconds(1), std::chrono::seconds(60)) : kIdleLimit;
  if (limit.count() <= 0 || idle_.size() >= kMaxIdle || !stream->unread().empty()) return stream->close();
  stream->listen(nullptr);
  stream->read_more();
  const Nanos now = clock_.boot();
  idle_.push_back({std::move(stream), now, now + limit});
  sweep();
}

// Closes what has been idle for too long; runs as long as anything is idle.
void UpstreamPool::sweep() {
  if (sweeping_ || idle_.empty()) return;
  sweeping_ = true;
  sweeper_.expires_after(std::chrono::seconds(1));
  sweeper_.async_wait([alive = alive_](const http::error_code& error) {
    if (error || *alive == nullptr) return;
    UpstreamPool& pool = **alive;
    pool.sweeping_ = false;
    const Nanos now = pool.clock_.boot();
    std::erase_if(pool.idle_, [now](const Idle& idle) {
      if (now < idle.until && idle.stream->read_end() == http::StreamEnd::kOpen) return false;
      idle.stream->close();
      return true;
    });
    pool.sweep();
  });
}

std::unique_ptr<Connecting> UpstreamPool::connect(http::Signal& signal, std::chrono::nanoseconds time_out) {
  auto attempt = std::make_shared<Attempt>(io_, url_, proxy_, tls_, log_, signal);
  attempt->start(time_out);
  return std::make_unique<ConnectingAttempt>(std::move(attempt));
}

void UpstreamPool::close_idle() {
  for (const Idle& idle : idle_) idle.stream->close();
  idle_.clear();
  sweeper_.cancel();
}

}  // namespace mcptrace::proxy
