// Names to addresses, by c-ares: /etc/hosts first, then the name servers of /etc/resolv.conf as it is at that moment.
// Answers are kept for as long as they say, at least five seconds and at most a minute; failures are not.
#pragma once

#include <poll.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace mcptrace::client {

// As CURLOPT_RESOLVE takes them: IPv6 in brackets. Never empty.
using Addresses = std::vector<std::string>;

class Names {
 public:
  // `servers`: "address:port", instead of those of /etc/resolv.conf; for tests.
  explicit Names(const Clock& clock, std::string servers = {});
  ~Names();
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;

  // Nothing: it is being looked up; ask again after process(). An address and `localhost` are known at once. The error
  // says why, not of whom; it holds for all who ask before forget_failures().
  std::optional<Result<Addresses>> find(const std::string& host);
  void forget_failures();

  void add_to(std::vector<pollfd>& polled) const;
  [[nodiscard]] Nanos patience() const;  // until process() has something to do, whatever happens
  void process(const std::vector<pollfd>& polled);

 private:
  class Lookup;
  struct Known {
    std::unique_ptr<Lookup> lookup;  // under way
    Result<Addresses> result;
    Nanos until{};
  };
  void settle(Known& known);

  const Clock& clock_;
  std::string servers_;
  std::map<std::string, Known> known_;
};

}  // namespace mcptrace::client
