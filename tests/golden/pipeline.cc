#include "golden/pipeline.h"

#include <cstring>
#include <vector>

namespace mcptrace::golden {

Pipeline::Pipeline(observe::PlacementOptions placement, observe::TracerOptions tracer, observe::RecordSink& sink)
    : key_(key()),
      clock_(start()),
      placement_(with_acceptance(placement), key_, relay_random_, activity_),
      tracer_(with_first(std::move(tracer)), tracer_random_, activity_, sink),
      client_(key_, placement.inject),
      server_(key_) {}

observe::PlacementOptions Pipeline::with_acceptance(observe::PlacementOptions options) {
  options.acceptance = &acceptance_;
  return options;
}

observe::TracerOptions Pipeline::with_first(observe::TracerOptions options) const {
  options.first = placement_.first();
  return options;
}

// As in the product: packed on one side of a queue, unpacked on the other.
void Pipeline::feed(const mcp::Fact& fact) {
  const auto record = mcp::packed(fact);
  tracer_.feed(mcp::unpack(record));
}

void Pipeline::place_all() {
  while (const mcp::Message* message = client_.next()) {
    const auto& placed = placement_.place(*message, client_.may(), client_.now());
    mcp::Fact fact;
    fact.at = client_.now();
    fact.context = placed.context;
    fact.message = *message;
    fact.trace_state = placed.trace_state;
    feed(fact);
    if (placed.inject) client_.inject(placed.injection);
  }
}

void Pipeline::go_to(Nanos since_start) {
  const Nanos at = start().boot + since_start;
  for (;;) {
    auto next = tracer_.next_deadline();
    if (const auto held = client_.deadline(); held && (!next || *held < *next)) next = held;
    if (!next || *next > at) break;
    if (*next > clock_.boot()) clock_.advance(*next - clock_.boot());
    client_.on_time(clock_.now());
    place_all();
    tracer_.on_time(clock_.now());
  }
  if (at > clock_.boot()) clock_.advance(at - clock_.boot());
}

std::string Pipeline::from_client(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    const auto room = client_.room();
    const std::size_t count = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), count);
    client_.arrived(count, clock_.now());
    place_all();
    bytes.remove_prefix(count);
    for (auto pieces = client_.ready(); !pieces.empty(); pieces = client_.ready()) {
      for (const iovec& piece : pieces) out.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
      client_.sent();
      place_all();
    }
  }
  return out;
}

void Pipeline::from_server(std::string_view bytes) {
  server_.passed(bytes);
  while (const mcp::Found* found = server_.next()) {
    mcp::Fact fact;
    fact.at = clock_.now();
    fact.declared = found->declared;
    if (found->message != nullptr) {
      fact.message = *found->message;
      fact.findings = acceptance_.learn(fact.message, fact.message.id, 0);
    } else {
      fact.kind = mcp::FactKind::kDeclaredTools;
    }
    feed(fact);
  }
  if (server_.is_counted()) client_.stop_injecting(mcp::NotInjected::kFraming);
  activity_.last_server_message.store(clock_.boot().count());
}

}  // namespace mcptrace::golden
