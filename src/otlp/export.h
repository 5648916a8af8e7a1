// What an OTLP exporter says and hears: a request made of spans that are bytes already, and the answers of receivers.
// Pure. Sources: opentelemetry-proto collector/trace/v1/trace_service.proto; google/rpc/status.proto,
// error_details.proto.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace mcptrace::otlp {

struct SpanBytes {
  std::uint32_t resource = 0;  // its place in the list of resources
  std::string_view bytes;      // a Span message
};

// Appends the bytes of one ExportTraceServiceRequest: for each resource (Resource messages) that has spans, those, in
// their order, in the scope "mcptrace" of `version`.
void append_trace_request(std::span<const std::string_view> resources, std::span<const SpanBytes> spans,
                          std::string_view version, std::string& out);

// Of what a Span has how many.
struct SpanSizes {
  std::size_t attributes = 0, events = 0, links = 0;
};
SpanSizes count_parts(std::string_view span);

// ExportTraceServiceResponse. All zero: everything was taken.
struct ExportAnswer {
  std::int64_t rejected = 0;
  std::string message;
};
Result<ExportAnswer> decode_export_answer(std::string_view protobuf);
Result<ExportAnswer> parse_export_answer(std::string_view json);

// google.rpc.Status, as a receiver says why it refuses.
struct RpcStatus {
  std::int32_t code = 0;
  std::string message;
  std::optional<Nanos> retry_delay;  // of a RetryInfo among its details
};
Result<RpcStatus> decode_rpc_status(std::string_view protobuf);
Result<RpcStatus> parse_rpc_status(std::string_view json);

}  // namespace mcptrace::otlp
