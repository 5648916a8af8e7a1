// For tests: a server of this process, on a port that the system chooses, a thread a connection, that does what a
// function says; and certificates made at run time.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/fd.h"

namespace mcptrace::client {

class Peer {
 public:
  Peer(int fd, SSL* tls) : fd_(fd), tls_(tls) {}

  // At least a byte more than `buffer` has; false: the end.
  bool read_more(std::string& buffer);
  std::string read_exactly(std::size_t count);  // less at the end
  // The next request, head and body; empty: the end.
  std::string read_request();
  bool write(std::string_view bytes);                  // false: nobody reads any more
  void reset();                                        // the connection ends by RST
  [[nodiscard]] std::string certificate_name() const;  // the client's common name; empty: it has none
  // What comes goes to the server at that port of this machine, and back, until either ends. Without TLS of its own.
  void tunnel_to(std::uint16_t port);

 private:
  int fd_;
  SSL* tls_;
  std::string rest_;
};

struct TlsFiles {
  std::string certificate, key;  // paths
};
// A CA, and certificates of it for 127.0.0.1, in a folder that goes with it.
class TestAuthority {
 public:
  TestAuthority();
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  [[nodiscard]] const std::string& ca() const { return ca_; }  // path
  TlsFiles issue(const std::string& name);
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }

 private:
  std::string folder_, ca_;
  X509* certificate_ = nullptr;
  EVP_PKEY* key_ = nullptr;
};

struct ServerTls {
  TlsFiles files;
  std::string client_ca = {};  // path; not empty: clients have to have a certificate of it
  std::string alpn = {};       // "\x02h2"; empty: none
  int most_version = 0;        // TLS1_1_VERSION, …; 0: the newest
};

class TestServer {
 public:
  using Serve = std::function<void(Peer&)>;
  explicit TestServer(Serve serve, const ServerTls* tls = nullptr);
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string place() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::string url(std::string_view path = "/") const;
  [[nodiscard]] int connections() const { return connections_; }
  [[nodiscard]] int most_at_once() const { return most_at_once_; }

 private:
  void accept_all();
  void serve_one(int fd);

  Serve serve_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> tls_{nullptr, SSL_CTX_free};
  std::string alpn_;
  UniqueFd listening_;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_ = 0, at_once_ = 0, most_at_once_ = 0;
  std::mutex mutex_;
  bool ending_ = false;
  std::vector<int> open_;
  std::list<std::thread> threads_;
  std::thread accepting_;
};

// A port of 127.0.0.1 where nobody listens, for as long as this lives.
class DeadPort {
 public:
  DeadPort();
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  UniqueFd fd_;
  std::uint16_t port_ = 0;
};

}  // namespace mcptrace::client
