#include "http/listener.h"

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/redirect_error.hpp>
#include <new>
#include <vector>

#include "base/shown.h"

namespace mcptrace::http {
namespace {

constexpr std::chrono::milliseconds kPause{50};  // after accept(2) failed for want of descriptors or memory
constexpr std::chrono::seconds kIdleEnough{1};
constexpr int kBacklog = 1024;

Error listen_error(const ListenAddress& address, const error_code& error) {
  return {Errc::kIo,
          "cannot listen on " + address.host + " port " + std::to_string(address.port) + ": " + error.message()};
}

}  // namespace

Result<std::shared_ptr<asio::ssl::context>> load_certificate(const CertificateFiles& files) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  error_code error;
  context->use_certificate_chain_file(files.certificate, error);
  if (error)
    return std::unexpected(
        Error{Errc::kIo, "cannot use the certificate in " + files.certificate + ": " + error.message()});
  context->use_private_key_file(files.key, asio::ssl::context::pem, error);
  if (error) return std::unexpected(Error{Errc::kIo, "cannot use the key in " + files.key + ": " + error.message()});
  return context;
}

Result<Acceptor> open_listener(asio::io_context& io, const ListenAddress& address, int inherited) {
  Acceptor acceptor(io.get_executor());
  error_code error;
  if (inherited >= 0) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    int accepting = 0;
    socklen_t flag_size = sizeof accepting;
    const bool listens = getsockname(inherited, reinterpret_cast<sockaddr*>(&name), &size) == 0 &&
                         getsockopt(inherited, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &flag_size) == 0 &&
                         accepting != 0 && (name.ss_family == AF_INET || name.ss_family == AF_INET6);
    if (!listens) {
      return std::unexpected(Error{Errc::kInvalidArgument, "LISTEN_FDS: descriptor 3 is no listening TCP socket"});
    }
    acceptor.assign(name.ss_family == AF_INET ? asio::ip::tcp::v4() : asio::ip::tcp::v6(), inherited, error);
    if (error) return std::unexpected(listen_error(address, error));
    return acceptor;
  }
  const auto host = asio::ip::make_address(address.host, error);
  if (error) {
    return std::unexpected(
        Error{Errc::kInvalidArgument, "--listen wants a numeric address, got '" + shown(address.host) + "'"});
  }
  const asio::ip::tcp::endpoint endpoint(host, address.port);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(kBacklog, error);
  if (error) return std::unexpected(listen_error(address, error));
  return acceptor;
}

Listener::Listener(Context& context, Acceptor acceptor, std::shared_ptr<asio::ssl::context> certificate,
                   std::size_t max_connections)
    : context_(context),
      acceptor_(std::move(acceptor)),
      certificate_(std::move(certificate)),
      max_connections_(max_connections),
      again_(context.io.get_executor()),
      pause_(context.io.get_executor(), room_) {}

Listener::~Listener() = default;

std::string Listener::authority() const {
  error_code ignored;
  const auto endpoint = acceptor_.local_endpoint(ignored);
  const std::string host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

std::uint16_t Listener::port() const {
  error_code ignored;
  return acceptor_.local_endpoint(ignored).port();
}

void Listener::start() {
  accepting_ = true;
  try {
    asio::co_spawn(context_.io.get_executor(), accept(), [this](const std::exception_ptr&) {
      accepting_ = false;
      check_done();
      resume();
    });
  } catch (const std::bad_alloc&) {
    accepting_ = false;
    resume();
  }
}

void Listener::resume() {
  if (accepting_ || !acceptor_.is_open()) return;
  try {
    again_.expires_after(kPause);
    again_.async_wait([this](const error_code& cancelled) {
      if (!cancelled && !accepting_ && acceptor_.is_open()) start();
    });
  } catch (const std::bad_alloc&) {  // then when a connection ends
  }
}

Async<> Listener::accept() {
  while (acceptor_.is_open()) {
    while (connections() >= max_connections_ && acceptor_.is_open()) co_await wait_for_room();
    Socket socket(context_.io.get_executor());
    asio::ip::tcp::endpoint peer;
    error_code error;
    co_await acceptor_.async_accept(socket, peer, asio::redirect_error(kAwait, error));
    // Who was accepted is served, though the acceptor may have been closed since.
    if (error) {
      // No descriptor, no memory: what waits in the queue goes on waiting until something is closed.
      if (is_exhausted(error)) co_await wait_for_room();
      continue;
    }
    if (!receive(std::move(socket), peer)) co_await wait_for_room();
  }
}

// False: there is no memory. The connection is closed, and accepting goes on.
bool Listener::receive(Socket socket, const asio::ip::tcp::endpoint& peer) {
  try {
    if (has_its_share(peer)) return true;  // closed
    prepare(socket);
    asio::co_spawn(context_.io.get_executor(), serve(std::move(socket), peer, arrivals_),
                   [this](const std::exception_ptr&) {
                     check_done();
                     resume();
                   });
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

// One other machine may not take all the room there is.
bool Listener::has_its_share(const asio::ip::tcp::endpoint& peer) const {
  const asio::ip::address address = unmapped(peer.address());
  if (address.is_loopback()) return false;
  const auto found = by_address_.find(address.to_string());
  return found != by_address_.end() && found->second >= std::max<std::size_t>(max_connections_ / 2, 1);
}

// Makes room by closing who has been idle longest; else waits until somebody leaves, or a little.
Async<> Listener::wait_for_room() {
  Connection* oldest = nullptr;
  for (Connection* connection : connections_) {
    if (connection->idle_since() == Nanos::max()) continue;
    if (oldest == nullptr || connection->idle_since() < oldest->idle_since()) oldest = connection;
  }
  // One that has only just become idle, or come, may have a request on its way.
  if (oldest != nullptr && context_.clock.boot() - oldest->idle_since() > kIdleEnough) oldest->stop();
  pause_.arm(kPause);
  if (!room_.take()) co_await room_.wait();
  pause_.clear();
}

Async<> Listener::serve(Socket socket, asio::ip::tcp::endpoint peer, Arrival arrival) {
  std::shared_ptr<Stream> stream;
  if (certificate_) {
    auto tls = std::make_unique<TlsSocket>(std::move(socket), *certificate_);
    Timer timer(context_.io.get_executor(), kHeadTime);
    // Shared, as the timer may have fired already when the handshake ends.
    const auto shaking = std::make_shared<TlsSocket*>(tls.get());
    timer.async_wait([shaking](const error_code& cancelled) {
      error_code ignored;
      if (!cancelled && *shaking != nullptr) (*shaking)->next_layer().close(ignored);
    });
    error_code error;
    co_await tls->async_handshake(TlsSocket::server, asio::redirect_error(kAwait, error));
    *shaking = nullptr;
    timer.cancel();
    if (error || stopped_) co_return;
    stream = make_tls_stream(std::move(tls));
  } else {
    stream = make_plain_stream(std::move(socket));
  }
  Connection connection(context_, std::move(stream), peer);
  const Entry entry(*this, connection, !unmapped(peer.address()).is_loopback());
  arrival.reset();
  co_await connection.run();
}

Listener::Entry::Entry(Listener& listener, Connection& connection, bool counted)
    : listener_(listener), connection_(connection), counted_(counted) {
  std::size_t* const count = counted ? &listener.by_address_[connection.address()] : nullptr;
  listener.connections_.insert(&connection);
  if (count != nullptr) ++*count;
}

Listener::Entry::~Entry() {
  listener_.connections_.erase(&connection_);
  if (counted_) {
    const auto found = listener_.by_address_.find(connection_.address());
    if (--found->second == 0) listener_.by_address_.erase(found);
  }
  listener_.room_.fire();
}

void Listener::drain(std::function<void()> done) {
  context_.draining = true;
  done_ = std::move(done);
  error_code ignored;
  acceptor_.close(ignored);
  room_.fire();
  // A connection may end, and so leave the set, while it is told.
  const std::vector<Connection*> all(connections_.begin(), connections_.end());
  for (Connection* connection : all) {
    if (connections_.contains(connection)) connection->drain();
  }
  check_done();
}

void Listener::stop() {
  stopped_ = true;
  error_code ignored;
  acceptor_.close(ignored);
  const std::vector<Connection*> all(connections_.begin(), connections_.end());
  for (Connection* connection : all) {
    if (connections_.contains(connection)) connection->stop();
  }
  check_done();
}

void Listener::check_done() {
  const bool nobody_comes = stopped_ || (!accepting_ && arriving() == 0);
  if (done_ && !acceptor_.is_open() && nobody_comes && connections_.empty()) std::exchange(done_, nullptr)();
}

}  // namespace mcptrace::http
