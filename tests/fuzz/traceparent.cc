// Any bytes as a traceparent: what is accepted is written back with the same ids, and is accepted again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "trace/w3c.h"

namespace trace = mcptrace::trace;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto context = trace::parse_traceparent(input);
  if (!context) return 0;
  if (context->trace_id.is_zero() || context->span_id.is_zero()) std::abort();
  if ((context->flags & ~(trace::kSampledFlag | trace::kRandomFlag)) != 0) std::abort();
  char out[trace::kTraceparentSize];
  trace::write_traceparent(*context, out);
  const std::string_view written(out, sizeof(out));
  if (input.find(written.substr(3, 50)) == std::string_view::npos) std::abort();
  const auto again = trace::parse_traceparent(written);
  if (!again || again->trace_id != context->trace_id || again->span_id != context->span_id ||
      again->flags != context->flags) {
    std::abort();
  }
  return 0;
}
