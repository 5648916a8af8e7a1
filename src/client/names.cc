#include "client/names.h"

#include <ares.h>
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace mcptrace::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kLeastKept{5}, kMostKept{60}, kLongestLookup{10};
constexpr std::size_t kMostAddresses = 16, kMostNames = 64;
constexpr int kFirstTry = 2000;  // ms; the next one waits twice as long
constexpr int kTries = 2;

std::unexpected<Error> failed(std::string_view why) {
  return std::unexpected(Error{Errc::kNotFound, std::string(why)});
}

std::string text_of(int family, const void* bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (inet_ntop(family, bytes, text.data(), text.size()) == nullptr) return {};
  return family == AF_INET6 ? "[" + std::string(text.data()) + "]" : std::string(text.data());
}

// What needs no looking up.
std::optional<Addresses> obvious(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes;
  if (inet_pton(AF_INET, host.c_str(), bytes.data()) == 1) return Addresses{text_of(AF_INET, bytes.data())};
  if (inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1) return Addresses{text_of(AF_INET6, bytes.data())};
  const std::string_view name = host.ends_with('.') ? std::string_view(host).substr(0, host.size() - 1) : host;
  // RFC 6761 6.3.
  if (same_text(name, "localhost") || name.ends_with(".localhost")) return Addresses{"127.0.0.1", "[::1]"};
  return std::nullopt;
}

std::string_view reason(int status) {
  switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_ENONAME:
      return "there is no such name";
    case ARES_ETIMEOUT:
      return "no name server answered";
    case ARES_ECONNREFUSED:
      return "no name server can be reached";
    default:
      return ares_strerror(status);
  }
}

}  // namespace

// One query, on a channel of its own: a channel reads /etc/resolv.conf when it is made.
class Names::Lookup {
 public:
  Lookup(const std::string& host, const std::string& servers, Nanos now) : until_(now + kLongestLookup) {
    ares_options options{};
    options.timeout = kFirstTry;
    options.tries = kTries;
    options.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
      static_cast<Lookup*>(self)->watch(fd, readable != 0, writable != 0);
    };
    options.sock_state_cb_data = this;
    const int made =
        ares_init_options(&channel_, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (made != ARES_SUCCESS) {
      channel_ = nullptr;
      end(failed(reason(made)));
      return;
    }
    if (!servers.empty()) MCPTRACE_CHECK(ares_set_servers_ports_csv(channel_, servers.c_str()) == ARES_SUCCESS);
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(
        channel_, host.c_str(), nullptr, &hints,
        [](void* self, int status, int, ares_addrinfo* found) { static_cast<Lookup*>(self)->done(status, found); },
        this);
  }
  ~Lookup() {
    if (channel_ != nullptr) ares_destroy(channel_);
  }
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  [[nodiscard]] const std::vector<pollfd>& watched() const { return watched_; }
  [[nodiscard]] bool is_over() const { return over_; }
  [[nodiscard]] Result<Addresses> take() { return std::move(result_); }
  [[nodiscard]] seconds kept() const { return kept_; }

  [[nodiscard]] Nanos patience(Nanos now) const {
    if (over_) return Nanos(0);
    timeval least{};
    const timeval* const given = ares_timeout(channel_, nullptr, &least);
    const Nanos bound = std::max(until_ - now, Nanos(0));
    return given == nullptr
               ? bound
               : std::min(bound, Nanos(seconds(given->tv_sec)) + std::chrono::microseconds(given->tv_usec));
  }

  void process(const std::vector<pollfd>& polled, Nanos now) {
    // A copy: what is watched changes meanwhile.
    const std::vector<pollfd> mine = watched_;
    for (const pollfd& watched : mine) {
      const auto happened = std::ranges::find(polled, watched.fd, &pollfd::fd);
      if (happened == polled.end() || happened->revents == 0) continue;
      const bool readable = (happened->revents & watched.events & POLLIN) != 0;
      const bool writable = (happened->revents & watched.events & POLLOUT) != 0;
      ares_process_fd(channel_, readable ? watched.fd : ARES_SOCKET_BAD, writable ? watched.fd : ARES_SOCKET_BAD);
    }
    if (!over_) ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // what has timed out
    if (!over_ && now >= until_) end(failed(reason(ARES_ETIMEOUT)));
  }

 private:
  void watch(int fd, bool readable, bool writable) {
    std::erase_if(watched_, [fd](const pollfd& one) { return one.fd == fd; });
    const int events = (readable ? POLLIN : 0) | (writable ? POLLOUT : 0);
    if (events != 0) watched_.push_back({.fd = fd, .events = static_cast<short>(events), .revents = 0});
  }

  void done(int status, ares_addrinfo* found) {
    const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> owned(found, ares_freeaddrinfo);
    if (over_) return;  // it was given up, or is being destroyed
    if (status != ARES_SUCCESS) return end(failed(reason(status)));
    Addresses addresses;
    for (const ares_addrinfo_node* node = found->nodes; node != nullptr; node = node->ai_next) {
      if (addresses.size() == kMostAddresses) break;
      const void* const bytes =
          node->ai_family == AF_INET
              ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(node->ai_addr)->sin_addr)
              : &reinterpret_cast<const sockaddr_in6*>(node->ai_addr)->sin6_addr;
      std::string text = text_of(node->ai_family, bytes);
      if (!text.empty() && std::ranges::find(addresses, text) == addresses.end()) addresses.push_back(std::move(text));
      kept_ = std::clamp(seconds(node->ai_ttl), kLeastKept, kept_);
    }
    if (addresses.empty()) return end(failed(reason(ARES_ENODATA)));
    end(std::move(addresses));
  }

  void end(Result<Addresses> result) {
    over_ = true;
    result_ = std::move(result);
  }

  ares_channel channel_ = nullptr;
  std::vector<pollfd> watched_;
  Nanos until_;
  seconds kept_ = kMostKept;
  bool over_ = false;
  Result<Addresses> result_;
};

Names::Names(const Clock& clock, std::string servers) : clock_(clock), servers_(std::move(servers)) {}
Names::~Names() = default;

std::optional<Result<Addresses>> Names::find(const std::string& host) {
  if (auto addresses = obvious(host)) return *std::move(addresses);
  const Nanos now = clock_.boot();
  auto entry = known_.find(host);
  if (entry != known_.end() && !entry->second.lookup && now >= entry->second.until && entry->second.result) {
    known_.erase(entry);
    entry = known_.end();
  }
  if (entry == known_.end()) {
    if (known_.size() >= kMostNames) {
      std::erase_if(known_, [](const auto& one) { return one.second.lookup == nullptr; });
    }
    entry = known_.try_emplace(host).first;
    entry->second.lookup = std::make_unique<Lookup>(host, servers_, now);
    settle(entry->second);
  }
  if (entry->second.lookup) return std::nullopt;
  return entry->second.result;
}

void Names::forget_failures() {
  std::erase_if(known_, [](const auto& one) { return !one.second.lookup && !one.second.result; });
}

void Names::add_to(std::vector<pollfd>& polled) const {
  for (const auto& [host, known] : known_) {
    if (known.lookup) polled.insert(polled.end(), known.lookup->watched().begin(), known.lookup->watched().end());
  }
}

Nanos Names::patience() const {
  Nanos least = Nanos::max();
  for (const auto& [host, known] : known_) {
    if (known.lookup) least = std::min(least, known.lookup->patience(clock_.boot()));
  }
  return least;
}

void Names::process(const std::vector<pollfd>& polled) {
  for (auto& [host, known] : known_) {
    if (!known.lookup) continue;
    known.lookup->process(polled, clock_.boot());
    settle(known);
  }
}

void Names::settle(Known& known) {
  if (!known.lookup->is_over()) return;
  known.result = known.lookup->take();
  known.until = clock_.boot() + known.lookup->kept();
  known.lookup.reset();
}

}  // namespace mcptrace::client
