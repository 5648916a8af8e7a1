// One session stretch, as the observer knows it: who talks, in what version, how much, how it went; and its root span.
// Plain state with a few rules; the observer thread's own.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "mcp/call_table.h"
#include "mcp/fact.h"
#include "trace/span_builder.h"
#include "trace/span_record.h"

namespace mcptrace::observe {

// Outside facts about a process that its roots carry.
struct RootStyle {
  std::string_view transport;
  std::string_view command_print;   // mcptrace.command; empty: none
  std::string_view client_process;  // mcp.client.process; empty: unknown
  SpanId environment_parent;        // TRACEPARENT's span; zero: none
  std::uint8_t flags = 0;           // W3C flags of the root's context
  std::string_view trace_state;
};

// How a root ends, where that is known.
enum class RootEnd : std::uint8_t {
  kNormal,        // the client left, the gap, the day's end, shutdown
  kServerFirst,   // the server ended while the client was still there
  kServerClosed,  // ... or closed what it answers on
  kNotStarted,    // the server could not be started
};

struct ChildStatus {
  bool known = false;
  bool signalled = false;
  int code = 0;
};

// Telemetry that was lost: messages and records that were not written, files of the spool that were deleted unread.
struct Losses {
  std::uint64_t messages = 0, files = 0;

  Losses& operator+=(const Losses& more) {
    messages += more.messages, files += more.files;
    return *this;
  }
  [[nodiscard]] Losses since(const Losses& before) const { return {messages - before.messages, files - before.files}; }
};

class Session {
 public:
  Session(const mcp::CallContext& context, Instant first);

  // `root`, and `text` from it: what that message's context says of its session, and nothing of its own.
  void take_ids(const mcp::CallContext& context);
  // This stretch goes on where that one was left: the same peers, the same tools; its root links to that one's.
  void go_on_from(const Session& before);
  // The client's first byte: there its root starts, whatever the server said before.
  void begin(Instant at) {
    begun_ = true;
    first_ = at;
    touch(at);
  }
  [[nodiscard]] bool begun() const { return begun_; }
  // A message of this session passed.
  void touch(Instant at) { last_boot_ = std::max(last_boot_, at.boot); }
  // A span of it ends then, by its own start.
  void cover(Nanos wall) { last_wall_ = std::max(last_wall_, wall); }
  void count_message(const mcp::Message& message);
  void count_bytes(const mcp::Message& message) {
    bytes_[static_cast<std::size_t>(message.direction)] += message.bytes;
  }
  void count_foreign(const mcp::Message& message) {
    count_bytes(message);
    if (message.direction == mcp::Direction::kClientToServer) ++foreign_from_client_;
    count_findings(mcp::finding_bit(mcp::Finding::kNotMcpMessage));
  }
  void count_findings(mcp::Findings findings);
  using FindingCounts = std::array<std::uint32_t, static_cast<std::size_t>(mcp::Finding::kCount)>;
  [[nodiscard]] const FindingCounts& findings() const { return findings_; }
  // On the root, and on the span of the call that they concern, if there is one.
  void note_findings(mcp::Findings findings, Instant at, mcp::OpenCall* call);
  // By this tools/list; beyond some they are not counted, as a server may tell each client something else.
  void note_changed_tools(std::size_t count, Instant at, mcp::OpenCall& list);
  // Only the client's calls are counted.
  void count_end(const mcp::OpenCall& call, trace::Outcome outcome, bool is_error);
  // A request was refused by 401 or 403.
  void count_unauthorized(mcp::AuthScheme scheme) {
    ++unauthorized_;
    if (scheme != mcp::AuthScheme::kNone) auth_scheme_ = scheme;
  }

  // What the peers say of themselves; empty strings are passed over. Of either's names the first counts: of a server's,
  // true if this is it.
  void learn_client(const mcp::Message& message);
  // Legacy or modern, by a client's request.
  void note_era(const mcp::Message& message);
  bool learn_server(const mcp::Message& message);

  // tools/list: one page, asked for at `asked` (boot clock); `whole`: `tools` are all that it had. At most `room` more
  // are remembered.
  struct Page {
    bool first = false, last = false, whole = true;
    Nanos asked{};
  };
  void learn_page(const Page& page, const std::vector<mcp::DeclaredTool>& tools, std::size_t room);
  void forget_completeness() { list_complete_ = false; }
  void forget_declared();
  [[nodiscard]] std::size_t declared_count() const { return declared_.size(); }
  // Is the name known to be missing from a complete list? `last_dropped`: when a fact was lost last, which may have
  // been of that list.
  [[nodiscard]] bool knows_undeclared(std::uint64_t name_hash, Nanos last_dropped) const {
    return list_complete_ && list_began_ > last_dropped && !declared_.contains(name_hash);
  }

  // Of a tool of that name, as it was listed; zero: not known.
  [[nodiscard]] mcp::Definition definition_of(std::uint64_t name_hash) const {
    const auto found = declared_.find(name_hash);
    return found != declared_.end() ? found->second : mcp::Definition{};
  }

  // The root span as it is now. `ended` false: for a session_open record.
  void build_root(const RootStyle& style, bool ended, trace::SpanRecord& span);

  mcp::CallContext root;                                    // only what take_root() takes
  trace::SessionText text;                                  // what call spans take from here
  std::string server_name, server_version, client_version;  // gated
  TraceId previous_trace;                                   // the stretch before; zero: none
  SpanId previous_span;
  std::uint32_t open = 0;  // requests that wait, listens not counted
  std::uint32_t listens = 0;
  mcp::NestedCalls nestable;  // over HTTP: open calls that server messages may belong to
  bool closed = true;         // not open yet; or its root was written and nothing came since
  bool ending = false;        // its root is to be written once nothing is open
  bool rests = false;         // it is closed, though nobody ended it
  bool initialize_failed = false;
  std::uint16_t route = 0;  // of a proxy
  Losses lost_before;       // before it began
  Losses lost;
  RootEnd end = RootEnd::kNormal;
  ChildStatus child;
  std::uint64_t unmatched = 0, not_json_bytes = 0;

  // All its requests so far were of 2026-07-28.
  [[nodiscard]] bool is_modern() const { return saw_modern_ && !saw_legacy_; }
  [[nodiscard]] Nanos last_boot() const { return last_boot_; }
  [[nodiscard]] Instant first() const { return first_; }

 private:
  [[nodiscard]] Nanos lasted() const;
  void add_counts(trace::SpanRecord& span) const;

  Instant first_;
  bool begun_ = false;
  Nanos last_boot_{};
  Nanos last_wall_{};  // the latest that cover() was told
  std::array<std::uint64_t, static_cast<std::size_t>(trace::Outcome::kCount)> calls_{};
  std::uint64_t tool_calls_ = 0, requests_ = 0, notifications_ = 0, errors_ = 0, not_injected_ = 0;
  std::array<std::uint64_t, 2> bytes_{};  // by Direction
  std::uint64_t unauthorized_ = 0;
  mcp::AuthScheme auth_scheme_ = mcp::AuthScheme::kNone;
  FindingCounts findings_{};
  std::uint64_t foreign_from_client_ = 0;  // of what is counted as no message of MCP's
  bool saw_legacy_ = false, saw_modern_ = false;
  bool probed_ = false, worked_ = false;                         // the client sent server/discover; another request
  std::unordered_map<std::uint64_t, mcp::Definition> declared_;  // tools, by name
  bool list_complete_ = false;
  bool listing_from_start_ = false;
  Nanos list_began_{};  // boot clock: its first page was asked for
};

}  // namespace mcptrace::observe
