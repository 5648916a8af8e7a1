// What a span costs on its way to bytes, and back. P7: a tool call with 8 attributes, record to bytes, in at most 300
// ns.
#include <benchmark/benchmark.h>

#include "base/random.h"
#include "base/testing.h"
#include "keep.h"
#include "otlp/decode.h"
#include "otlp/encode.h"
#include "otlp/json.h"

namespace mcptrace {
namespace {

using trace::Attr;
using trace::Naming;

// A record reused, as the observer reuses it.
void fill_tool_call(trace::SpanRecord& span, TraceId trace_id, SpanId span_id) {
  span.clear();
  span.trace_id = trace_id;
  span.span_id = span_id;
  span.parent_id = span_id;
  span.parent_remote = true;
  span.flags = 3;
  span.name = "mcp.tool_call";
  span.kind = trace::SpanKind::kServer;
  span.start = Nanos(1'760'000'000'123'456'789);
  span.duration = Nanos(1'234'567);
  span.outcome = trace::Outcome::kOk;
  span.add(Attr::kOperation, "tool_call");
  span.add(Attr::kToolName, "weather.forecast");
  span.add(Attr::kSessionId, "s-0123456789abcdef");
  span.add(Attr::kOutcome, "ok");
  span.add(Attr::kMethodName, "tools/call");
  span.add(Attr::kRequestId, "1234");
  span.add(Attr::kRequestBytes, std::int64_t{1024});
  span.add(Attr::kResponseBytes, std::int64_t{4096});
}

void encode_tool_call(benchmark::State& state) {
  SeededRandom random(1);
  const TraceId trace_id = random.trace_id();
  const SpanId span_id = random.span_id();
  trace::SpanRecord span;
  trace::SpanHeader header;
  header.trace_id = trace_id;
  header.span_id = span_id;
  std::string out;
  for (auto _ : state) {
    fill_tool_call(span, trace_id, span_id);
    out.clear();
    otlp::append_header(header, out);
    otlp::encode_span(span, Naming::kBoth, out);
    keep(out.data());
  }
  state.counters["bytes"] = static_cast<double>(out.size());
}
BENCHMARK(encode_tool_call);

std::string tool_call_bytes() {
  SeededRandom random(1);
  trace::SpanRecord span;
  fill_tool_call(span, random.trace_id(), random.span_id());
  std::string out;
  otlp::encode_span(span, Naming::kBoth, out);
  return out;
}

void decode_tool_call(benchmark::State& state) {
  const std::string bytes = tool_call_bytes();
  for (auto _ : state) keep(otlp::decode_span(bytes));
}
BENCHMARK(decode_tool_call);

void json_tool_call(benchmark::State& state) {
  otlp::TracesData traces;
  traces.resources.emplace_back().scopes.emplace_back().spans.push_back(*otlp::decode_span(tool_call_bytes()));
  std::string out;
  for (auto _ : state) {
    out.clear();
    otlp::append_json(traces, out);
    keep(out.data());
  }
}
BENCHMARK(json_tool_call);

}  // namespace
}  // namespace mcptrace
