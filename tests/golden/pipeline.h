// The product's way of a message, from bytes to records, without threads, files, wall clocks or chance: framing,
// placement, facts packed and unpacked, tracer. For golden cases and the oracle test.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "base/testing.h"
#include "mcp/client_framer.h"
#include "mcp/server_framer.h"
#include "observe/placement.h"
#include "observe/tracer.h"

namespace mcptrace::golden {

class Pipeline {
 public:
  // `sink` must outlive the pipeline.
  Pipeline(observe::PlacementOptions placement, observe::TracerOptions tracer, observe::RecordSink& sink);

  static HashKey key() { return HashKey({1, 2, 3}); }
  static Instant start() { return {std::chrono::seconds(1'700'000'000), std::chrono::seconds(1000)}; }

  // Time goes on to `since_start`; deadlines on the way are kept, as the product's threads would.
  void go_to(Nanos since_start);
  void jump_wall(Nanos by) { clock_.jump_wall(by); }
  // Gives what goes on to the server.
  std::string from_client(std::string_view bytes);
  void from_server(std::string_view bytes);
  observe::Tracer& tracer() { return tracer_; }
  [[nodiscard]] Instant now() const { return clock_.now(); }

 private:
  observe::PlacementOptions with_acceptance(observe::PlacementOptions options);
  observe::TracerOptions with_first(observe::TracerOptions options) const;
  void feed(const mcp::Fact& fact);
  void place_all();

  HashKey key_;
  ManualClock clock_;
  SeededRandom relay_random_{1}, tracer_random_{2};
  observe::Activity activity_;
  observe::Acceptance acceptance_;
  observe::Placement placement_;
  observe::Tracer tracer_;
  mcp::ClientFramer client_;
  mcp::ServerFramer server_;
};

}  // namespace mcptrace::golden
