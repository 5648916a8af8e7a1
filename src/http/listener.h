// The listening socket and its connections: accepts, bounds how many there are, and ends them.
// Relay thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/result.h"
#include "http/connection.h"

namespace mcptrace::http {

// The certificate and key that clients see, as files: read when the proxy starts, and again when it is told to.
struct CertificateFiles {
  std::string certificate, key;
};
// Error: a file cannot be read, or they do not belong together.
Result<std::shared_ptr<asio::ssl::context>> load_certificate(const CertificateFiles& files);

struct ListenAddress {
  std::string host;  // numeric; without brackets
  std::uint16_t port = 0;
};
// A listening socket: `inherited` if that is one (a descriptor), else a new one. Error: kIo.
Result<Acceptor> open_listener(asio::io_context& io, const ListenAddress& address, int inherited);

class Listener {
 public:
  // `certificate`: null for plain HTTP. `max_connections`: at least 1.
  Listener(Context& context, Acceptor acceptor, std::shared_ptr<asio::ssl::context> certificate,
           std::size_t max_connections);
  ~Listener();

  void start();
  // Where accepting ended for want of memory: begins again after a pause. Does nothing else.
  void resume();
  // Where it listens, be it handed over: "[::1]:8080".
  [[nodiscard]] std::string authority() const;
  [[nodiscard]] std::uint16_t port() const;
  void set_certificate(std::shared_ptr<asio::ssl::context> certificate) { certificate_ = std::move(certificate); }

  // Accepts no more (context.draining); connections end with what they are doing. `done` is called once none is left.
  void drain(std::function<void()> done);
  // Ends them all, now.
  void stop();
  [[nodiscard]] std::size_t connections() const { return connections_.size() + arriving(); }

 private:
  // Held for a socket that was accepted and is in no table yet: its coroutine has to begin, and its TLS handshake takes
  // a while. It may outlive the listener, in a coroutine that never goes on.
  using Arrival = std::shared_ptr<void>;
  [[nodiscard]] std::size_t arriving() const { return static_cast<std::size_t>(arrivals_.use_count()) - 1; }

  // A connection in the tables below, as long as this lives.
  class Entry {
   public:
    Entry(Listener& listener, Connection& connection, bool counted);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    Listener& listener_;
    Connection& connection_;
    bool counted_;
  };

  Async<> accept();
  Async<> serve(Socket socket, asio::ip::tcp::endpoint peer, Arrival arrival);
  Async<> wait_for_room();
  bool receive(Socket socket, const asio::ip::tcp::endpoint& peer);
  [[nodiscard]] bool has_its_share(const asio::ip::tcp::endpoint& peer) const;
  void check_done();

  Context& context_;
  Acceptor acceptor_;
  std::shared_ptr<asio::ssl::context> certificate_;
  std::size_t max_connections_;
  std::set<Connection*> connections_;
  std::unordered_map<std::string, std::size_t> by_address_;  // other machines' only
  Arrival arrivals_ = std::make_shared<char>();
  bool accepting_ = false;  // accept() runs: it may hold a socket that nobody else knows of
  bool stopped_ = false;    // nobody who is still to come is waited for
  Signal room_;
  Timer again_;
  Deadline pause_;
  std::function<void()> done_;
};

}  // namespace mcptrace::http
