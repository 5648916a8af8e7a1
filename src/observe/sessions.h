// The sessions that are known, bounded in count; each is opened and closed here, and its root written. Of those that
// are closed, or silent longest, what has nothing open goes when there are too many. Observer thread.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "base/clock.h"
#include "mcp/fact.h"
#include "observe/declared_tools.h"
#include "observe/record_writer.h"
#include "observe/session.h"
#include "observe/tracer_options.h"

namespace mcptrace::observe {

// How the traffic ended.
struct TrafficEnd {
  RootEnd root = RootEnd::kNormal;
  ChildStatus child;
  std::string_view call_error_type = "client_closed";  // error.type of the calls that are still open
};

class Sessions {
 public:
  // References must outlive this.
  Sessions(const TracerOptions& options, DeclaredTools& declared, RecordWriter& writer);

  // Null: it is none of these, or was forgotten.
  Session* find(std::uint32_t serial) {
    return last_ != nullptr && last_->root.session == serial ? last_ : look_up(serial);
  }
  // The session of a client's message, open. What opens it may say who the client is.
  Session& open_for(const mcp::Fact& fact);
  Session& add(const mcp::CallContext& context, Instant at, std::uint16_t route);
  // Stands for the session of what has none here; valid until the next call. What it says of it is in the context.
  Session& loose(const mcp::CallContext& context, std::uint16_t route);
  [[nodiscard]] const Session* loose() const { return loose_.get(); }

  // Over stdio. The process's own session; where all that was said named its conversation, the only one there is.
  // Null: there is none.
  Session* present();
  // Of what names no session. It is not opened before the client has said something.
  Session& process(Instant at);
  // A client's message was placed so. If that is a new session of the process, the last one is over, once nothing of it
  // is open.
  void placed(const mcp::CallContext& context);

  void open(Session& session);
  // `rests`: for silence, or for want of room.
  void close(Session& session, bool rests = false);
  void write_root(Session& session, spool::RecordType type);
  // Nothing of it may be open any more: then it closes, or its gap begins.
  void rest(Session& session);

  void add_lost(const Losses& more);
  // How all ends; then all that is open can end, and then the sessions.
  void begin_end(const TrafficEnd& end, Instant now);
  void close_all();
  void on_time(Nanos now);
  [[nodiscard]] Nanos next_deadline() const { return next_gap_; }
  void write_open();

 private:
  Session* look_up(std::uint32_t serial);
  Session* only_open();
  void look_at_gap(const Session& session);
  void evict();
  void forget(Session& session);

  const TracerOptions& options_;
  DeclaredTools& declared_;
  RecordWriter& writer_;
  std::unordered_map<std::uint32_t, std::unique_ptr<Session>> sessions_;
  std::size_t open_ = 0;  // of them
  Session* last_ = nullptr;
  std::unique_ptr<Session> loose_;
  mcp::CallContext process_;       // of the newest process session
  Nanos next_gap_ = Nanos::max();  // no session's gap is over before
  Losses lost_;
  Losses early_lost_;  // before there was a session: the next one's
};

}  // namespace mcptrace::observe
