#include "golden/pipeline.h"

#include <cstring>
#include <vector>

namespace mcptrace::golden {

Pipeline::Pipeline(observe::PlacementOptions placement, observe::TracerOptions tracer, observe::RecordSink& sink)
    : key_(key()),
      clock_(start()),
      placement_(with_acceptance(placement), key_, relay_random_, activity_),
      tracer_(with_first(std::move(tracer)), tracer_random_, activity_, sink),
      client_(scanner(mcp::Direction::kClientToServer), *this, placement.inject),
      server_(scanner(mcp::Direction::kServerToClient)) {}

observe::PlacementOptions Pipeline::with_acceptance(observe::PlacementOptions options) {
  options.acceptance = &acceptance_;
  return options;
}

observe::TracerOptions Pipeline::with_first(observe::TracerOptions options) const {
  options.first = placement_.first();
  return options;
}

mcp::MessageScanner Pipeline::scanner(mcp::Direction direction) const {
  return mcp::MessageScanner(direction, key_, {mcp::default_conversation_keys()});
}

// As in the product: packed on one side of a queue, unpacked on the other.
void Pipeline::feed(const mcp::Fact& fact) {
  const auto record = mcp::packed(fact);
  tracer_.feed(mcp::unpack(record));
}

bool Pipeline::on_message(const mcp::Message& message, mcp::NotInjected may, Instant at, mcp::Injection& injection) {
  const auto& placed = placement_.place(message, may, at);
  mcp::Fact fact;
  fact.at = at;
  fact.context = placed.context;
  fact.message = message;
  fact.trace_state = placed.trace_state;
  feed(fact);
  if (placed.inject) injection = placed.injection;
  return placed.inject;
}

void Pipeline::on_message(const mcp::Message& message, const mcp::SpliceMap*) {
  mcp::Fact fact;
  fact.at = clock_.now();
  fact.message = message;
  fact.findings = acceptance_.learn(message, message.id, 0);
  feed(fact);
}

void Pipeline::on_declared(std::span<const mcp::DeclaredTool> tools) {
  mcp::Fact fact;
  fact.kind = mcp::FactKind::kDeclaredTools;
  fact.at = clock_.now();
  fact.declared = tools;
  feed(fact);
}

void Pipeline::go_to(Nanos since_start) {
  const Nanos at = start().boot + since_start;
  for (;;) {
    auto next = tracer_.next_deadline();
    if (const auto held = client_.deadline(); held && (!next || *held < *next)) next = held;
    if (!next || *next > at) break;
    if (*next > clock_.boot()) clock_.advance(*next - clock_.boot());
    client_.on_time(clock_.now());
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
    bytes.remove_prefix(count);
    for (auto pieces = client_.ready(); !pieces.empty(); pieces = client_.ready()) {
      for (const iovec& piece : pieces) out.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
      client_.sent();
    }
  }
  return out;
}

void Pipeline::from_server(std::string_view bytes) {
  server_.passed(bytes, *this);
  if (server_.is_counted()) client_.stop_injecting(mcp::NotInjected::kFraming);
  activity_.last_server_message.store(clock_.boot().count());
}

}  // namespace mcptrace::golden
