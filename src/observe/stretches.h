// The stretches of sessions that are known by a key: their ids, and when one is over and the next begins. Bounded in
// count: the least recently used goes, and comes back with the same derived ids. Relay thread; without I/O; allocates
// only when a session is new.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/keyed_hash.h"
#include "base/random.h"
#include "mcp/fact.h"

namespace mcptrace::observe {

// Of a stretch with random ids: after as many tools/call the client's next request begins another, as backends cut
// traces that are too large.
inline constexpr std::uint32_t kMostStretchCalls = 5000;

struct SessionKey {
  // Who names the session: its transport, or its client a conversation (their ids are derived, so that replicas agree);
  // or nobody, and it is a guess.
  enum class Kind : std::uint8_t { kTransport, kConversation, kGuessed } kind = Kind::kGuessed;
  std::uint64_t route = 0;  // keys of different ones never meet
  std::string_view name;    // of the server: part of derived ids
  std::string_view text;
  std::uint64_t client = 0;  // of an initialize in a guessed one: a print of who its client says it is; else 0
};

struct Stretch {
  SessionKey::Kind kind = SessionKey::Kind::kGuessed;
  mcp::CallContext root;  // session, root ids, session_print, derived, previous
  std::int64_t day = 0;
  Nanos last_message{};      // boot clock
  std::uint32_t open = 0;    // requests that wait
  std::uint32_t calls = 0;   // tools/call
  bool announced = false;    // something opened it
  std::uint64_t client = 0;  // of a guessed one: who its initialize said it is; 0: there was none

  // The table's own.
  TableHash::Value key{};
  boost::intrusive::list_member_hook<> in_use;
};

class Stretches {
 public:
  struct Limits {
    Nanos gap = std::chrono::minutes(30);
    std::uint32_t calls = kMostStretchCalls;
    std::size_t sessions = 8192;
  };

  // References must outlive this.
  Stretches(Limits limits, const HashKey& key, Random& random)
      : limits_(limits), key_(key), hash_(key), random_(random) {}

  // The present stretch of the session. Only what `opens` a session begins a new stretch of one that is there; another
  // client begins a session of its own, and has the key from then on.
  // The reference stays valid; but once there are too many, its stretch is another's.
  Stretch& at(const SessionKey& session, Instant now, bool opens);
  // Of a stretch of its own. `print`: of its session, if it has one.
  mcp::CallContext new_root(const SessionKey& session, Nanos wall, std::uint64_t print = 0);
  std::uint32_t new_serial() { return ++last_serial_; }
  // A stretch with random ids is over when it is either.
  [[nodiscard]] bool is_silent(const Stretch& stretch, Nanos now) const {
    return stretch.open == 0 && now - stretch.last_message > limits_.gap;
  }
  [[nodiscard]] bool is_full(const Stretch& stretch) const { return stretch.calls >= limits_.calls; }

 private:
  struct First {
    std::size_t operator()(const TableHash::Value& key) const { return static_cast<std::size_t>(key[0]); }
  };
  using ByUse = boost::intrusive::list<
      Stretch, boost::intrusive::member_hook<Stretch, boost::intrusive::list_member_hook<>, &Stretch::in_use>>;

  Stretch& find(const SessionKey& session);

  const Limits limits_;
  const HashKey& key_;
  const TableHash hash_;
  Random& random_;
  std::uint32_t last_serial_ = 0;
  std::unordered_map<TableHash::Value, Stretch, First> by_key_;
  ByUse by_use_;  // the one used last comes last
};

}  // namespace mcptrace::observe
