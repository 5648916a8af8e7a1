// What the faces show: sessions (ledger/model.h), and one session's spans. Plain data; made by SpanSet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ledger/model.h"
#include "otlp/decode.h"

namespace mcptrace::query {

using ledger::Class;
using ledger::Counts;
using ledger::Failure;
using ledger::kOutcomes;
using ledger::Session;
using ledger::SessionKey;
using ledger::SpanKey;
using ledger::SpanKeyHash;
using ledger::State;
using ledger::Stretch;

// How a span's end is known.
enum class Ending : std::uint8_t {
  kEnded,    // it was written
  kRunning,  // it has not ended
  kUnknown,  // its process died: the end is when we last heard of it
};

struct TraceSpan {
  trace::SpanHeader header;
  std::string bytes;           // OTLP Span
  std::uint32_t resource = 0;  // index into TraceView::resources
  Ending ending = Ending::kEnded;

  [[nodiscard]] SpanKey key() const { return ledger::key_of(header); }
  [[nodiscard]] bool is_root() const { return (header.flags & trace::kRootSpan) != 0; }
  [[nodiscard]] Nanos end() const { return add(header.start, header.duration); }
};

struct TraceView {
  std::optional<Session> session;  // none: a caller's trace, of which these spans are a part
  std::vector<otlp::Resource> resources;
  std::vector<TraceSpan> spans;  // by start
  std::uint64_t left_out = 0;    // spans beyond what is held at once
};

}  // namespace mcptrace::query
