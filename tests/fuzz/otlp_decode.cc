// Any bytes as OTLP: what is accepted says the same after it was encoded again, and its JSON is one line of valid
// UTF-8.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/utf8.h"
#include "otlp/decode.h"
#include "otlp/encode.h"
#include "otlp/json.h"
#include "otlp/protobuf.h"

namespace otlp = mcptrace::otlp;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_traces(const otlp::TracesData& traces) {
  std::string json;
  otlp::append_json(traces, json);
  require(mcptrace::is_utf8(json));
  for (const char c : json) require(static_cast<unsigned char>(c) >= 0x20);

  std::string bytes;
  otlp::append_protobuf(traces, bytes);
  const auto again = otlp::decode_traces(bytes);
  if (!again) {
    // Without its unknown fields it may have too few bytes for the memory it takes; nothing else may be wrong with it.
    require(again.error().code == mcptrace::Errc::kLimit);
    return;
  }
  std::string json_again;
  otlp::append_json(*again, json_again);
  require(json_again == json);
  std::string bytes_again;
  otlp::append_protobuf(*again, bytes_again);
  require(bytes_again == bytes);
}

void check_span(std::string_view bytes) {
  const auto span = otlp::decode_span(bytes);
  if (!span) return;
  otlp::TracesData traces;
  traces.resources.emplace_back().scopes.emplace_back().spans.push_back(*span);
  check_traces(traces);

  // Ending it by appended bytes always works.
  std::string ended(bytes);
  otlp::SpanEnd end;
  end.end = mcptrace::Nanos(7);
  end.outcome = mcptrace::trace::Outcome::kAbandoned;
  otlp::append_end(end, ended);
  const auto again = otlp::decode_span(ended);
  require(again && again->end == end.end && again->name == span->name && again->status == 2);
  require(again->attribute("mcp.outcome") != nullptr && *again->attribute("mcp.outcome")->string() == "abandoned");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto traces = otlp::decode_traces(input)) check_traces(*traces);
  check_span(input);
  if (const auto resource = otlp::decode_resource(input)) static_cast<void>(resource->attribute("service.name"));

  mcptrace::trace::SpanHeader header;
  std::string_view span_bytes;
  if (otlp::split_record(input, header, span_bytes)) {
    std::string again;
    otlp::append_header(header, again);
    require(again.size() == otlp::kHeaderBytes && again[1] == input[1]);
    check_span(span_bytes);
  }
  return 0;
}
