// The taps that trace: framing and placement on the client's side, framing on the server's, facts to the observer.
#pragma once

#include "base/clock.h"
#include "mcp/client_framer.h"
#include "mcp/server_framer.h"
#include "observe/observer.h"
#include "observe/placement.h"
#include "stdio/relay.h"

namespace mcptrace::stdio {

class TracedClientTap final : public ClientTap {
 public:
  // References must outlive this.
  TracedClientTap(const HashKey& key, bool inject, observe::Placement& placement, observe::Observer& observer,
                  const observe::Activity& activity, const Clock& clock);

  std::span<char> room() override { return framer_.room(); }
  void arrived(std::size_t count) override;
  std::span<const iovec> ready() override { return framer_.ready(); }
  void sent() override;
  std::optional<Nanos> hold_left() override;
  void on_hold_over() override;
  void end() override;

 private:
  void place_all();

  observe::Placement& placement_;
  observe::Observer& observer_;
  const observe::Activity& activity_;
  const Clock& clock_;
  mcp::ClientFramer framer_;
};

class TracedServerTap final : public ServerTap {
 public:
  // `acceptance`: what is learned from the answers, if anything.
  TracedServerTap(const HashKey& key, observe::Observer& observer, observe::Activity& activity,
                  observe::Acceptance* acceptance, const Clock& clock);

  void arrived(std::string_view bytes) override;
  void passed(std::string_view bytes) override;
  void end() override;

 private:
  void look_at(std::string_view bytes);
  void push_all();

  observe::Observer& observer_;
  observe::Activity& activity_;
  observe::Acceptance* const acceptance_;
  const Clock& clock_;
  mcp::ServerFramer framer_;
  bool looked_ = false;  // at what has arrived
  Instant read_at_;      // whole: also an answer may begin a span or a session
};

}  // namespace mcptrace::stdio
