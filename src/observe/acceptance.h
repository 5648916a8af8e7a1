// Does a server take requests whose params have a _meta that their client did not put there? Strict ones refuse unknown
// members; learned from the answers, so that they are harmed as little as may be (docs/spans.md, Strict servers).
//
// One object a server: the relay asks before a request goes on, and shows it the answers. Called from two relay
// threads: by the client's choose(), sent() and forget(), by the server's the rest; what is steady costs neither of
// them a lock. The observer keeps what was learned (acceptance_file.h). No I/O, no clock; memory is fixed.
//
//   untried --result--> accepted                     accepted --3 refusals in a row, or another version--> untried
//   untried --refusal--> doubted: the next one (of the same tool) goes without
//                          refused too: the arguments were at fault: untried
//                          result: strict, where there are no arguments or the refusal spoke of _meta, or at the third
//                                  time; else untried
//   strict in one method is strict in all that are not accepted
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/mutex.h"
#include "mcp/fact.h"
#include "mcp/message.h"

namespace mcptrace::observe {

// --inject
enum class InjectMode : std::uint8_t { kAuto, kAlways, kNever };

class Acceptance {
 public:
  enum class State : std::uint8_t { kUntried, kAccepted, kDoubted, kStrict };
  // What an answer says of the request.
  enum class Answer : std::uint8_t { kNothing, kResult, kRefusal, kRefusalNamesMeta };
  // `http_status`: 0 on stdio.
  static Answer read(const mcp::Message& message, int http_status);
  static bool is_refusal_status(int http_status);

  // What is known of one method.
  struct Known {
    State state = State::kUntried;
    std::uint8_t refusals = 0;      // accepted: in a row
    std::uint8_t alternations = 0;  // refused with it, taken without
    bool names_meta = false;        // doubted: the refusal spoke of _meta
    std::uint64_t tool = 0;         // doubted: of whose request; 0: the method has none
    bool operator==(const Known& other) const = default;
  };
  using Table = std::array<Known, static_cast<std::size_t>(mcp::Method::kCount)>;

  // Before anything is asked.
  void restore(const Table& table, std::uint64_t version);

  // Is a request of this method to get a _meta? kNone: yes. `tool`: Message::name_hash.
  mcp::NotInjected choose(mcp::Method method, std::uint64_t tool);
  // It goes on so, with this id.
  void sent(const mcp::RequestId& id, mcp::Method method, std::uint64_t tool, mcp::NotInjected chosen);
  // A request of this id goes on that has nothing to do with it.
  void forget(const mcp::RequestId& id);
  // An answer to this id passed; an unusable one means the only request that waits. True: now the server is known to be
  // strict.
  bool answered(const mcp::RequestId& id, Answer answer);
  // The three together: what a message of the server says, `id` being that of the request that it answers. Gives the
  // finding, if that makes one.
  mcp::Findings learn(const mcp::Message& message, const mcp::RequestId& id, int http_status);
  // What the server calls itself, in any hash.
  void server_is(std::uint64_t version);
  // What comes next may decide how a further request is to go: it is to be looked at before it goes on.
  [[nodiscard]] bool waits() const { return watching_.load(std::memory_order_relaxed); }

  // What is to be kept, if it has changed since the last call; any thread.
  bool take_changes(Table& table, std::uint64_t& version);

 private:
  struct Asked {
    std::atomic<std::uint64_t> id{0};    // RequestId::exact; 0: none
    std::atomic<std::uint64_t> what{0};  // pack()
  };
  // What was asked, and how it went on.
  struct Sent {
    mcp::Method method = mcp::Method::kNone;
    bool with = false;       // a _meta was put in
    bool counted = false;    // in pending_
    std::uint8_t doubt = 0;  // without: which of the method's doubts it is to settle
    std::uint64_t tool = 0;  // as much of it as fits
  };
  static std::uint64_t pack(const Sent& sent);
  static Sent unpack(std::uint64_t what);
  Asked& slot_of(std::uint64_t id) { return asked_[(id * 0x9e3779b97f4a7c15u) >> 54]; }

  void release(Asked& slot);
  void with_answered(Known& known, const Sent& sent, Answer answer);
  bool without_answered(Known& known, const Sent& sent, Answer answer);
  void change(Known& known, const Known& to) REQUIRES(mutex_);
  void publish() REQUIRES(mutex_);

  // What needs no lock: methods that are accepted, and whether results say anything.
  std::array<std::atomic<bool>, static_cast<std::size_t>(mcp::Method::kCount)> accepted_{};
  std::atomic<bool> watching_{false};
  std::array<Asked, 1024> asked_;  // by id; the younger takes the place of the older

  Mutex mutex_;
  Table table_ GUARDED_BY(mutex_);
  // How often each method was doubted: an answer to what went without for an earlier doubt says nothing of this one.
  std::array<std::uint8_t, static_cast<std::size_t>(mcp::Method::kCount)> doubts_ GUARDED_BY(mutex_){};
  std::atomic<std::uint64_t> version_{0};
  std::uint32_t pending_ GUARDED_BY(mutex_) = 0;       // requests whose results say something
  std::uint64_t last_pending_ GUARDED_BY(mutex_) = 0;  // the id of the last of them
  bool changed_ GUARDED_BY(mutex_) = false;
};

}  // namespace mcptrace::observe
