#include "client/test_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace mcptrace::client {
namespace {

std::pair<int, std::uint16_t> bound_socket() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t size = sizeof(address);
  MCPTRACE_CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  MCPTRACE_CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return {fd, ntohs(address.sin_port)};
}

std::size_t content_length(std::string_view head) {
  while (!head.empty()) {
    std::string_view line = take_until(head, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string_view name = take_until(line, ':');
    if (same_text(name, "content-length")) return parse_number<std::size_t>(trim(line)).value_or(0);
  }
  return 0;
}

void add_extension(X509* certificate, X509* issuer, int id, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, id, value);
  MCPTRACE_CHECK(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* make_certificate(const std::string& name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  static long serial = 1;
  X509* const certificate = X509_new();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 24 * 3600L);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer != nullptr ? issuer : certificate));
  if (issuer == nullptr) {
    add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  } else {
    add_extension(certificate, issuer, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
  }
  MCPTRACE_CHECK(X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
  return certificate;
}

template <class Write>
std::string write_pem(const std::string& path, Write write) {
  FILE* const file = std::fopen(path.c_str(), "w");
  MCPTRACE_CHECK(file != nullptr && write(file) == 1);
  std::fclose(file);
  return path;
}

std::string write_certificate(const std::string& path, X509* certificate) {
  return write_pem(path, [&](FILE* file) { return PEM_write_X509(file, certificate); });
}

}  // namespace

bool Peer::read_more(std::string& buffer) {
  std::array<char, 65536> bytes;
  const ssize_t got = tls_ != nullptr ? SSL_read(tls_, bytes.data(), static_cast<int>(bytes.size()))
                                      : read(fd_, bytes.data(), bytes.size());
  if (got > 0) buffer.append(bytes.data(), static_cast<std::size_t>(got));
  return got > 0;
}

std::string Peer::read_exactly(std::size_t count) {
  while (rest_.size() < count && read_more(rest_)) {
  }
  std::string taken = rest_.substr(0, count);
  rest_.erase(0, taken.size());
  return taken;
}

std::string Peer::read_request() {
  std::size_t end = 0;
  while ((end = rest_.find("\r\n\r\n")) == rest_.npos) {
    if (!read_more(rest_)) return {};
  }
  return read_exactly(end + 4 + content_length(rest_.substr(0, end + 2)));
}

bool Peer::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = tls_ != nullptr ? SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()))
                                         : send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string Peer::certificate_name() const {
  X509* const certificate = tls_ != nullptr ? SSL_get1_peer_certificate(tls_) : nullptr;
  if (certificate == nullptr) return {};
  std::array<char, 100> name{};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(), name.size());
  X509_free(certificate);
  return name.data();
}

void Peer::tunnel_to(std::uint16_t port) {
  const UniqueFd other(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  MCPTRACE_CHECK(connect(other.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  Peer server(other.get(), nullptr);
  std::thread back([&] {
    std::string bytes;
    while (server.read_more(bytes) && write(bytes)) bytes.clear();
    shutdown(fd_, SHUT_WR);
  });
  std::string bytes;
  while (read_more(bytes) && server.write(bytes)) bytes.clear();
  shutdown(other.get(), SHUT_RDWR);
  back.join();
}

void Peer::reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

TestAuthority::TestAuthority() {
  std::string folder = std::filesystem::temp_directory_path() / "mcptrace-client-XXXXXX";
  MCPTRACE_CHECK(mkdtemp(folder.data()) != nullptr);
  folder_ = folder;
  key_ = EVP_EC_gen("P-256");
  certificate_ =
      make_certificate("mcptrace test CA " + std::filesystem::path(folder_).filename().string(), key_, nullptr, key_);
  ca_ = write_certificate(path("ca.pem"), certificate_);
}

TestAuthority::~TestAuthority() {
  X509_free(certificate_);
  EVP_PKEY_free(key_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

TlsFiles TestAuthority::issue(const std::string& name) {
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  X509* const certificate = make_certificate(name, key, certificate_, key_);
  TlsFiles files{write_certificate(path(name + ".pem"), certificate), write_pem(path(name + ".key"), [&](FILE* file) {
                   return PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
                 })};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return files;
}

TestServer::TestServer(Serve serve, const ServerTls* tls) : serve_(std::move(serve)) {
  if (tls != nullptr) {
    tls_.reset(SSL_CTX_new(TLS_server_method()));
    MCPTRACE_CHECK(SSL_CTX_use_certificate_chain_file(tls_.get(), tls->files.certificate.c_str()) == 1);
    MCPTRACE_CHECK(SSL_CTX_use_PrivateKey_file(tls_.get(), tls->files.key.c_str(), SSL_FILETYPE_PEM) == 1);
    if (!tls->client_ca.empty()) {
      MCPTRACE_CHECK(SSL_CTX_load_verify_locations(tls_.get(), tls->client_ca.c_str(), nullptr) == 1);
      SSL_CTX_set_verify(tls_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    SSL_CTX_set_max_proto_version(tls_.get(), tls->most_version);
    if (tls->most_version != 0) {
      SSL_CTX_set_min_proto_version(tls_.get(), tls->most_version);
      SSL_CTX_set_security_level(tls_.get(), 0);
    }
    alpn_ = tls->alpn;
    if (!alpn_.empty()) {
      SSL_CTX_set_alpn_select_cb(
          tls_.get(),
          [](SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
             void* self) {
            const std::string& alpn = static_cast<TestServer*>(self)->alpn_;
            return SSL_select_next_proto(const_cast<unsigned char**>(out), out_size,
                                         reinterpret_cast<const unsigned char*>(alpn.data()),
                                         static_cast<unsigned>(alpn.size()), in, in_size) == OPENSSL_NPN_NEGOTIATED
                       ? SSL_TLSEXT_ERR_OK
                       : SSL_TLSEXT_ERR_NOACK;
          },
          this);
    }
  }
  const auto [fd, port] = bound_socket();
  listening_.reset(fd);
  port_ = port;
  MCPTRACE_CHECK(listen(fd, 256) == 0);
  accepting_ = std::thread([this] { accept_all(); });
}

TestServer::~TestServer() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    shutdown(listening_.get(), SHUT_RDWR);
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
  }
  accepting_.join();
  for (std::thread& thread : threads_) thread.join();
}

std::string TestServer::url(std::string_view path) const {
  return (tls_ ? "https://" : "http://") + place() + std::string(path);
}

void TestServer::accept_all() {
  for (;;) {
    const int fd = accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::lock_guard lock(mutex_);
    if (ending_) {
      close(fd);
      return;
    }
    ++connections_;
    open_.push_back(fd);
    threads_.emplace_back([this, fd] { serve_one(fd); });
  }
}

void TestServer::serve_one(int fd) {
  most_at_once_ = std::max(most_at_once_.load(), ++at_once_);
  SSL* const tls = tls_ ? SSL_new(tls_.get()) : nullptr;
  bool good = true;
  if (tls != nullptr) {
    SSL_set_fd(tls, fd);
    good = SSL_accept(tls) == 1;
  }
  Peer peer(fd, tls);
  if (good) {
    serve_(peer);
  } else {
    // Its alert arrives only if what the client has sent meanwhile is taken.
    shutdown(fd, SHUT_WR);
    for (std::string rest; Peer(fd, nullptr).read_more(rest);) rest.clear();
  }
  if (tls != nullptr) {
    if (good) SSL_shutdown(tls);
    SSL_free(tls);
  }
  --at_once_;
  const std::lock_guard lock(mutex_);
  std::erase(open_, fd);
  close(fd);
}

DeadPort::DeadPort() {
  const auto [fd, port] = bound_socket();
  fd_.reset(fd);
  port_ = port;
}

}  // namespace mcptrace::client
