// P7: one tool-call span, from the exchange to encoded bytes: builder, gate, header and OTLP.
#include <benchmark/benchmark.h>

#include <string>

#include "base/random.h"
#include "base/testing.h"
#include "keep.h"
#include "mcp/call_table.h"
#include "otlp/encode.h"
#include "trace/span_builder.h"
#include "trace/testing.h"

namespace {

using namespace mcptrace;

mcp::Fact make_request() {
  mcp::Fact fact;
  fact.at = {std::chrono::hours(500'000), std::chrono::hours(5)};
  fact.message.kind = mcp::MessageKind::kRequest;
  fact.message.method = mcp::Method::kToolsCall;
  fact.message.id = {mcp::IdType::kInteger, 77, 77};
  fact.message.bytes = 1024;
  fact.message[mcp::Text::kName] = "search_documents";
  fact.message[mcp::Text::kId] = "4711";
  SeededRandom random(1);
  fact.context.trace_id = fact.context.root_trace_id = random.trace_id();
  fact.context.root_span_id = fact.context.parent_id = random.span_id();
  fact.context.span_id = random.span_id();
  fact.context.flags = 3;
  fact.trace_state = "ot=rv:0123456789abcd";
  return fact;
}

void exchange_to_bytes(benchmark::State& state, trace::Naming naming) {
  mcp::CallTable table;
  const mcp::OpenCall& call = table.open(make_request());
  trace::SpanBuilder builder(naming, "pipe");
  trace::SessionText session;
  session.session_id = "s-0123456789abcdef";
  session.client_name = "client";
  session.version = "2025-11-25";
  session.root_trace_id = call.context.root_trace_id;
  session.root_span_id = call.context.root_span_id;
  trace::CallEnd end;
  end.duration = std::chrono::milliseconds(3);
  end.answer_bytes = 1024;
  trace::SpanRecord span;
  otlp::RecordEncoder encoder(naming);
  std::string out;
  std::size_t bytes = 0;
  for (auto _ : state) {
    builder.build_call(call, session, end, span);
    out.resize(encoder.room(span));
    bytes = static_cast<std::size_t>(encoder.write({}, span, out.data()) - out.data());
    keep(out.data());
  }
  std::size_t attributes = 0;
  for (const auto& attribute : trace::all_attributes(span)) attributes += trace::attr_in(attribute.key, naming);
  state.counters["attributes"] = static_cast<double>(attributes);
  state.counters["bytes"] = static_cast<double>(bytes);
}

BENCHMARK_CAPTURE(exchange_to_bytes, guide, trace::Naming::kGuide);
BENCHMARK_CAPTURE(exchange_to_bytes, both, trace::Naming::kBoth);

}  // namespace
