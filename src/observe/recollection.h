// What the observer remembers of calls that are over, bounded: enough to tell a late answer from a second one, and
// to link a retry to the leg before it and a poll to its task. All fixed-size rings: the oldest makes room. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/ids.h"
#include "mcp/message.h"

namespace mcptrace::observe {

struct EndedCall {
  mcp::Direction direction = mcp::Direction::kClientToServer;
  mcp::Method method = mcp::Method::kNone;
  mcp::RequestId id;
  std::uint32_t session = 0;
  std::uint64_t exchange = 0;  // serial of its HTTP exchange; 0 = not over HTTP
  TraceId trace_id;
  SpanId span_id;
  std::uint8_t flags = 0;
  std::string trace_state;  // short
  bool given_up = false;    // by whoever asked, or because the session ended
};

class Recollection {
 public:
  // A call was answered: a further answer to this id is a second one.
  void answered(mcp::Direction direction, const mcp::RequestId& id, std::uint32_t session) {
    Answered& slot = answered_[id.exact % answered_.size()];
    slot = {id.exact, session, direction, id.type};
  }
  // What was no message of MCP's gets an answer that is none either.
  static constexpr std::uint32_t kForeign = 0xffffffff;
  void foreign(mcp::Direction direction, const mcp::RequestId& id) { answered(direction, id, kForeign); }
  // The session of a recently answered call, or kForeign.
  [[nodiscard]] std::optional<std::uint32_t> find_answered(mcp::Direction direction, const mcp::RequestId& id) const {
    const Answered& slot = answered_[id.exact % answered_.size()];
    if (slot.session == 0 || slot.exact != id.exact || slot.direction != direction || slot.type != id.type) return {};
    return slot.session;
  }

  // A call ended without its answer: the answer may still come, late; once. Of equal ids it is that of its own
  // exchange, else the newest's.
  void ended(EndedCall call) { ended_[ended_next_++ % ended_.size()] = std::move(call); }
  std::optional<EndedCall> take_ended(mcp::Direction direction, const mcp::RequestId& id, std::uint64_t exchange) {
    EndedCall* found = nullptr;
    for (std::size_t back = 1; back <= ended_.size(); ++back) {
      EndedCall& call = ended_[(ended_next_ - back) % ended_.size()];
      if (call.session == 0 || call.direction != direction || call.id != id) continue;
      if (call.exchange == exchange) return std::exchange(call, {});
      if (found == nullptr) found = &call;
    }
    return found != nullptr ? std::optional(std::exchange(*found, {})) : std::nullopt;
  }
  [[nodiscard]] bool has_ended(mcp::Direction direction, const mcp::RequestId& id, std::uint64_t exchange) const {
    return std::ranges::any_of(ended_, [&](const EndedCall& call) {
      return call.session != 0 && call.direction == direction && call.id == id && call.exchange == exchange;
    });
  }

  struct Span {
    TraceId trace_id;
    SpanId span_id;
  };
  // Spans by keyed hash: of a requestState that was handed out, of a task that was made. What one server gave one
  // client is nobody else's: two servers, or two sessions, may well use the same text.
  struct Token {
    std::uint64_t print = 0, session_print = 0;
    std::uint16_t route = 0;
    bool operator==(const Token&) const = default;
  };
  void remember_state(const Token& token, Span span) { states_.put(token, span); }
  void remember_task(const Token& token, Span span) { tasks_.put(token, span); }
  // Of equal ones the newest; null: none.
  [[nodiscard]] const Span* state(const Token& token) const { return states_.find(token); }
  [[nodiscard]] const Span* task(const Token& token) const { return tasks_.find(token); }

 private:
  struct Answered {
    std::uint64_t exact = 0;
    std::uint32_t session = 0;
    mcp::Direction direction = mcp::Direction::kClientToServer;
    mcp::IdType type = mcp::IdType::kAbsent;
  };
  class KnownRing {
   public:
    void put(const Token& token, Span span) { known_[next_++ % known_.size()] = {token, span}; }
    [[nodiscard]] const Span* find(const Token& token) const {
      for (std::size_t back = 1; back <= known_.size(); ++back) {
        const Known& known = known_[(next_ - back) % known_.size()];
        if (known.token == token) return &known.span;
      }
      return nullptr;
    }

   private:
    struct Known {
      Token token;
      Span span;
    };
    std::array<Known, 256> known_{};  // a power of two, as next_ wraps
    std::size_t next_ = 0;
  };

  std::array<Answered, 1024> answered_{};
  std::array<EndedCall, 256> ended_{};  // a power of two, as ended_next_ wraps
  KnownRing states_{}, tasks_{};
  std::size_t ended_next_ = 0;
};

}  // namespace mcptrace::observe
