#include "otlp/export.h"

#include <limits>
#include <vector>

#include "base/text.h"
#include "base/utf8.h"
#include "json/read.h"
#include "otlp/wire.h"
#include "trace/conventions.h"

namespace mcptrace::otlp {
namespace {

// Fields of TracesData, ResourceSpans and ScopeSpans.
constexpr std::uint32_t kResourceSpans = 1, kResource = 1, kScopeSpans = 2, kScope = 1, kSpans = 2, kSchemaUrl = 3;
constexpr std::uint32_t kScopeName = 1, kScopeVersion = 2;

constexpr std::size_t kMostText = 1024;  // of what a receiver says

std::size_t field_size(std::size_t size) { return 1 + varint_size(size) + size; }

void append_start(std::string& out, std::uint32_t field, std::size_t size) {
  append_varint(out, tag_of(field, Wire::kBytes));
  append_varint(out, size);
}

std::string text_of(std::string_view bytes) { return clean_utf8(bytes, kMostText); }

Error not_read(std::string_view what, const Reader& reader) {
  return {Errc::kCorrupt, std::string(what) + ": " + reader.failure()};
}

// seconds + nanos / 10^9, never negative.
Nanos duration_of(std::string_view message) {
  std::uint64_t seconds = 0, nanos = 0;
  for (Reader reader(message); reader.next();) {
    if (reader.is(1, Wire::kVarint)) seconds = reader.number();
    if (reader.is(2, Wire::kVarint)) nanos = reader.number();
  }
  constexpr std::uint64_t kMostSeconds = 1u << 30;
  return std::chrono::seconds(std::min(seconds, kMostSeconds)) + Nanos(std::min<std::uint64_t>(nanos, 999'999'999));
}

// google.protobuf.Any.
std::optional<Nanos> retry_delay_of(std::string_view any) {
  std::string_view type, value;
  for (Reader reader(any); reader.next();) {
    if (reader.is(1, Wire::kBytes)) type = reader.bytes();
    if (reader.is(2, Wire::kBytes)) value = reader.bytes();
  }
  if (!type.ends_with("/google.rpc.RetryInfo")) return std::nullopt;
  for (Reader reader(value); reader.next();) {
    if (reader.is(1, Wire::kBytes)) return duration_of(reader.bytes());
  }
  return Nanos(0);
}

}  // namespace

// All sizes are known before the first byte is written: nothing is moved.
void append_trace_request(std::span<const std::string_view> resources, std::span<const SpanBytes> spans,
                          std::string_view version, std::string& out) {
  std::vector<std::size_t> sizes(resources.size());  // of the spans' fields
  for (const SpanBytes& span : spans) sizes[span.resource] += field_size(span.bytes.size());
  std::string scope;
  append_bytes(scope, kScopeName, trace::kScopeName);
  append_bytes(scope, kScopeVersion, version);
  for (std::uint32_t number = 0; number < resources.size(); ++number) {
    if (sizes[number] == 0) continue;
    const std::size_t schema = field_size(trace::kSchemaUrl.size());
    const std::size_t scope_spans = field_size(scope.size()) + sizes[number] + schema;
    const std::size_t resource_spans = field_size(resources[number].size()) + field_size(scope_spans) + schema;
    out.reserve(out.size() + resource_spans + 16);
    append_start(out, kResourceSpans, resource_spans);
    append_bytes(out, kResource, resources[number]);
    append_start(out, kScopeSpans, scope_spans);
    append_bytes(out, kScope, scope);
    for (const SpanBytes& span : spans) {
      if (span.resource == number) append_bytes(out, kSpans, span.bytes);
    }
    append_bytes(out, kSchemaUrl, trace::kSchemaUrl);  // of the scope
    append_bytes(out, kSchemaUrl, trace::kSchemaUrl);  // of the resource
  }
}

SpanSizes count_parts(std::string_view span) {
  SpanSizes sizes;
  for (Reader reader(span); reader.next();) {
    sizes.attributes += reader.is(9, Wire::kBytes) ? 1u : 0u;
    sizes.events += reader.is(11, Wire::kBytes) ? 1u : 0u;
    sizes.links += reader.is(13, Wire::kBytes) ? 1u : 0u;
  }
  return sizes;
}

Result<ExportAnswer> decode_export_answer(std::string_view protobuf) {
  ExportAnswer answer;
  Reader reader(protobuf);
  while (reader.next()) {
    if (!reader.is(1, Wire::kBytes)) continue;
    Reader partial(reader.bytes());
    while (partial.next()) {
      if (partial.is(1, Wire::kVarint)) answer.rejected = static_cast<std::int64_t>(partial.number());
      if (partial.is(2, Wire::kBytes)) answer.message = text_of(partial.bytes());
    }
    if (partial.failure() != nullptr) return std::unexpected(not_read("partial success", partial));
  }
  if (reader.failure() != nullptr) return std::unexpected(not_read("the answer", reader));
  return answer;
}

Result<ExportAnswer> parse_export_answer(std::string_view json) {
  MCPTRACE_TRY(const json::Document document, json::Document::parse(json));
  ExportAnswer answer;
  answer.rejected = document.integer({"partialSuccess", "rejectedSpans"}).value_or(0);
  answer.message = text_of(document.text({"partialSuccess", "errorMessage"}).value_or(""));
  return answer;
}

Result<RpcStatus> decode_rpc_status(std::string_view protobuf) {
  RpcStatus status;
  Reader reader(protobuf);
  while (reader.next()) {
    if (reader.is(1, Wire::kVarint)) status.code = static_cast<std::int32_t>(reader.number());
    if (reader.is(2, Wire::kBytes)) status.message = text_of(reader.bytes());
    if (!reader.is(3, Wire::kBytes)) continue;
    if (const auto delay = retry_delay_of(reader.bytes())) status.retry_delay = delay;
  }
  if (reader.failure() != nullptr) return std::unexpected(not_read("the status", reader));
  return status;
}

Result<RpcStatus> parse_rpc_status(std::string_view json) {
  MCPTRACE_TRY(const json::Document document, json::Document::parse(json));
  RpcStatus status;
  status.code = static_cast<std::int32_t>(document.integer({"code"}).value_or(0));
  status.message = text_of(document.text({"message"}).value_or(""));
  return status;
}

}  // namespace mcptrace::otlp
