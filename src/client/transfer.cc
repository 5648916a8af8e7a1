#include "client/transfer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/fd.h"
#include "base/text.h"
#include "client/failure.h"

namespace mcptrace::client {
namespace {

using std::chrono::seconds;

constexpr std::size_t kMostPemBytes = 4u << 20;
constexpr seconds kConnectTimeout{10};
constexpr long kMostConnectionAge = 600;      // s; then the name counts again
constexpr unsigned kUnacknowledged = 20'000;  // ms; then the other side is gone

std::unexpected<Failure> failed(Step step, std::string message) {
  return std::unexpected(Failure{step, std::move(message)});
}

bool is_field_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7f && c != ':' && c != ';'; });
}
bool is_field_value(std::string_view value) {
  return std::ranges::all_of(value, [](char c) { return (c < 0 || c >= ' ' || c == '\t') && c != 0x7f; });
}
bool is_method(std::string_view method) {
  return !method.empty() && std::ranges::all_of(method, [](char c) { return c >= 'A' && c <= 'Z'; });
}

std::expected<std::string, Failure> read_pem(const std::string& path) {
  if (path.empty()) return std::string();
  auto text = read_file(path, kMostPemBytes);
  if (!text) return failed(Step::kTls, std::move(text).error().message);
  if (text->empty()) return failed(Step::kTls, path + " is empty");
  return *std::move(text);
}

size_t on_line(char* data, size_t size, size_t count, void* reader) {
  const std::string_view line(data, size * count);
  return static_cast<ResponseReader*>(reader)->on_line(line) ? line.size() : 0;
}

size_t on_body(char* data, size_t size, size_t count, void* reader) {
  const std::string_view bytes(data, size * count);
  // An answer of nothing is no error, though 0 is what libcurl takes for one.
  return bytes.empty() || static_cast<ResponseReader*>(reader)->on_body(bytes) ? bytes.size() : CURL_WRITEFUNC_ERROR;
}

// No child of ours inherits it, and a peer that vanished is noticed, though its connection carries further requests.
curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr* address) {
  const int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnacknowledged, sizeof(kUnacknowledged));
  return fd;
}

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
  curl_easy_setopt(easy, option, value);
}

void set_pem(CURL* easy, CURLoption option, std::string& pem) {
  if (pem.empty()) return;
  curl_blob blob{.data = pem.data(), .len = pem.size(), .flags = CURL_BLOB_NOCOPY};
  set(easy, option, &blob);
}

// 7.88, which is Debian 12's, fails each request but the first on such a connection (its pull request 10643).
bool can_share_plain_http2() {
  constexpr unsigned kFixed = 0x080000;
  return curl_version_info(CURLVERSION_NOW)->version_num >= kFixed;
}

curl_off_t info(CURL* easy, CURLINFO what) {
  curl_off_t value = 0;
  curl_easy_getinfo(easy, what, &value);
  return value;
}
long number_info(CURL* easy, CURLINFO what) {
  long value = 0;
  curl_easy_getinfo(easy, what, &value);
  return value;
}

// The connection stands, and OpenSSL is about to speak.
CURLcode on_tls(CURL*, void*, void* begun) {
  *static_cast<bool*>(begun) = true;
  return CURLE_OK;
}

}  // namespace

std::expected<Prepared, Failure> prepare(const Request& request, const Environment& environment) {
  Prepared prepared;
  auto target = parse_target(request.url);
  if (!target) return failed(Step::kUrl, "the URL cannot be used: " + target.error().message);
  prepared.target = *std::move(target);
  if (!is_method(request.method)) return failed(Step::kSend, "a method is capital letters");
  for (const auto& [name, value] : request.headers) {
    if (!is_field_name(name)) return failed(Step::kSend, "a header has a name that cannot be sent");
    if (!is_field_value(value)) return failed(Step::kSend, "the header " + name + " has a value that cannot be sent");
  }
  auto via = choose_proxy(request.proxy, environment, prepared.target);
  if (!via) return failed(Step::kProxy, std::move(via).error().message);
  prepared.via = *std::move(via);
  const Tls& tls = request.tls;
  for (const auto& [path, pem] : {std::pair(&tls.ca, &prepared.ca), std::pair(&tls.certificate, &prepared.certificate),
                                  std::pair(&tls.certificate_key, &prepared.certificate_key)}) {
    auto text = read_pem(*path);
    if (!text) return std::unexpected(std::move(text).error());
    *pem = *std::move(text);
  }
  prepared.system_ca = environment("SSL_CERT_FILE").value_or("");
  prepared.system_ca_directory = environment("SSL_CERT_DIR").value_or("");
  return prepared;
}

Transfer::Transfer(Request request, Client::Done done, Prepared prepared, Nanos now)
    : request_(std::move(request)),
      done_(std::move(done)),
      prepared_(std::move(prepared)),
      deadline_(request_.timeout > Nanos(0) ? add(now, request_.timeout) : Nanos::max()),
      reader_(request_.most_response) {}

const std::string& Transfer::lookup() const {
  return prepared_.via ? prepared_.via->proxy.host : prepared_.target.lookup;
}

std::string Transfer::looked_up() const {
  return prepared_.via ? "the proxy " + prepared_.via->proxy.host : prepared_.target.host;
}

std::string Transfer::peer() const {
  return prepared_.via ? "the proxy " + prepared_.via->proxy.authority : prepared_.target.place;
}

CURL* Transfer::go(const Addresses& addresses) {
  easy_.reset(curl_easy_init());
  CURL* const easy = easy_.get();
  if (easy == nullptr) return nullptr;
  set(easy, CURLOPT_PRIVATE, this);
  set(easy, CURLOPT_ERRORBUFFER, error_.data());
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::chrono::milliseconds(kConnectTimeout).count()));
  set(easy, CURLOPT_MAXLIFETIME_CONN, kMostConnectionAge);
  set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  set(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  set(easy, CURLOPT_HEADERFUNCTION, on_line);
  set(easy, CURLOPT_HEADERDATA, &reader_);
  set(easy, CURLOPT_WRITEFUNCTION, on_body);
  set(easy, CURLOPT_WRITEDATA, &reader_);
  set_addresses(addresses);
  set_proxy();
  set_tls();
  set_request();
  return easy;
}

// libcurl finds these in its cache and asks nobody. They stay there until they are replaced: a request that has to wait
// for a connection finds them all the same.
void Transfer::set_addresses(const Addresses& addresses) {
  std::string entry = (prepared_.via ? prepared_.via->proxy.authority : prepared_.target.place) + ":";
  if (entry.starts_with('[')) return;  // an address needs none
  for (const std::string& address : addresses) {
    if (!entry.ends_with(':')) entry += ',';
    entry += address;
  }
  resolved_.add(entry);
  set(easy_.get(), CURLOPT_RESOLVE, resolved_.get());
}

void Transfer::set_proxy() {
  CURL* const easy = easy_.get();
  set(easy, CURLOPT_NOPROXY, "");
  if (!prepared_.via) return set(easy, CURLOPT_PROXY, "");
  const auto& [tls, proxy] = *prepared_.via;
  set(easy, CURLOPT_PROXY, ((tls ? "https://" : "http://") + proxy.authority).c_str());
  set(easy, CURLOPT_HTTPPROXYTUNNEL, request_.http2 || prepared_.target.tls ? 1L : 0L);
  set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(easy, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
  if (proxy.authorization.empty()) return;
  proxy_headers_.add("Proxy-Authorization: " + proxy.authorization);
  set(easy, CURLOPT_PROXYHEADER, proxy_headers_.get());
}

void Transfer::set_tls() {
  CURL* const easy = easy_.get();
  set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(easy, CURLOPT_PROXY_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!prepared_.system_ca.empty()) {
    set(easy, CURLOPT_CAINFO, prepared_.system_ca.c_str());
    set(easy, CURLOPT_PROXY_CAINFO, prepared_.system_ca.c_str());
  }
  if (!prepared_.system_ca_directory.empty()) {
    set(easy, CURLOPT_CAPATH, prepared_.system_ca_directory.c_str());
    set(easy, CURLOPT_PROXY_CAPATH, prepared_.system_ca_directory.c_str());
  }
  if (!prepared_.ca.empty()) {
    set(easy, CURLOPT_CAINFO, static_cast<const char*>(nullptr));
    set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  // As bytes, not as paths: libcurl uses a connection again that was made with the same ones.
  set_pem(easy, CURLOPT_CAINFO_BLOB, prepared_.ca);
  set_pem(easy, CURLOPT_SSLCERT_BLOB, prepared_.certificate);
  set_pem(easy, CURLOPT_SSLKEY_BLOB,
          prepared_.certificate_key.empty() ? prepared_.certificate : prepared_.certificate_key);
  set(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
  set(easy, CURLOPT_SSL_CTX_DATA, &tls_begun_);
  set(easy, CURLOPT_KEYPASSWD, "");  // or OpenSSL would ask for one on the terminal
}

void Transfer::set_version() {
  CURL* const easy = easy_.get();
  if (!request_.http2) {
    set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    return;
  }
  const long version = prepared_.target.tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
  set(easy, CURLOPT_HTTP_VERSION, version);
  set(easy, CURLOPT_PIPEWAIT, 1L);
  if (prepared_.target.tls || can_share_plain_http2()) return;
  set(easy, CURLOPT_FRESH_CONNECT, 1L);
  set(easy, CURLOPT_FORBID_REUSE, 1L);
}

void Transfer::set_request() {
  CURL* const easy = easy_.get();
  set(easy, CURLOPT_URL, prepared_.target.url.c_str());
  set(easy, CURLOPT_PATH_AS_IS, 1L);
  set_version();
  if (request_.method == "HEAD") {
    set(easy, CURLOPT_NOBODY, 1L);
  } else if (request_.method == "POST" || !request_.body.empty()) {
    set(easy, CURLOPT_POST, 1L);
    set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    set(easy, CURLOPT_POSTFIELDS, request_.body.data());
  }
  if (request_.method != "HEAD" && request_.method != "POST") {
    set(easy, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
  // A field without a value takes back what libcurl would say by itself.
  for (const char* own : {"Accept:", "Content-Type:", "Expect:"}) {
    const std::string_view name(own, std::string_view(own).size() - 1);
    const auto is_it = [name](const auto& header) { return same_text(header.first, name); };
    if (std::ranges::none_of(request_.headers, is_it)) headers_.add(own);
  }
  for (const auto& [name, value] : request_.headers) {
    headers_.add(trim(value).empty() ? name + ";" : name + ": " + value);
  }
  set(easy, CURLOPT_HTTPHEADER, headers_.get());
}

Answer Transfer::answer(CURLcode code) {
  const std::string& place = prepared_.target.place;
  if (reader_.is_too_large()) return failed(Step::kTooLarge, "too large an answer from " + place);
  // Who refuses a request need not read all of it.
  const bool refused = code == CURLE_SEND_ERROR && reader_.has_head() && reader_.response().status >= 400;
  if (code != CURLE_OK && !refused) return std::unexpected(failure(code));
  if (!reader_.has_head()) return failed(Step::kReceive, "no whole answer from " + place + ": it ends in its head");
  if (request_.http2 && number_info(easy_.get(), CURLINFO_HTTP_VERSION) != CURL_HTTP_VERSION_2_0) {
    return failed(Step::kReceive, place + " does not speak HTTP/2");
  }
  return std::move(reader_.response());
}

std::optional<Failure> Transfer::proxy_refusal() const {
  const long status = number_info(easy_.get(), CURLINFO_HTTP_CONNECTCODE);
  if (!prepared_.via || status == 0 || (status >= 200 && status < 300)) return std::nullopt;
  return Failure{Step::kProxy,
                 peer() + " refuses a way to " + prepared_.target.place + ": status " + std::to_string(status)};
}

Phase Transfer::phase() const {
  if (info(easy_.get(), CURLINFO_PRETRANSFER_TIME_T) > 0) return Phase::kExchange;
  if (tls_begun_) return Phase::kTls;
  return info(easy_.get(), CURLINFO_NAMELOOKUP_TIME_T) > 0 ? Phase::kConnecting : Phase::kWaiting;
}

Failure Transfer::failure(CURLcode code) const {
  if (auto refusal = proxy_refusal()) return *std::move(refusal);
  const std::string who = peer();
  if (code == CURLE_OPERATION_TIMEDOUT) return late_failure(phase(), prepared_.target.place, who, kConnectTimeout);
  std::string words = error_[0] != 0 ? error_.data() : curl_easy_strerror(code);
  if (code == CURLE_COULDNT_CONNECT) {
    const long number = number_info(easy_.get(), CURLINFO_OS_ERRNO);
    words = number != 0 ? std::generic_category().message(static_cast<int>(number)) : std::string();
  }
  const bool with_proxy =
      prepared_.via && prepared_.via->tls && number_info(easy_.get(), CURLINFO_HTTP_CONNECTCODE) == 0;
  return failure_of({code, phase(), with_proxy ? who : prepared_.target.place, who, words});
}

Failure Transfer::not_found(const Error& why) const {
  return {Step::kResolve, "cannot find " + looked_up() + ": " + why.message};
}

Failure Transfer::too_late() const {
  if (!easy_) return {Step::kTimeout, "cannot find " + looked_up() + " in " + duration_text(request_.timeout)};
  return late_failure(phase(), prepared_.target.place, peer(), request_.timeout);
}

}  // namespace mcptrace::client
