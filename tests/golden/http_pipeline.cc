#include "golden/http_pipeline.h"

#include <algorithm>

#include "http/field_table.h"
#include "mcp/splice.h"
#include "mcp/testing.h"

namespace mcptrace::golden {
namespace {

std::vector<http::Field> fields_of(const HeaderLines& lines) {
  std::vector<http::Field> fields;
  for (const auto& [name, value] : lines) fields.push_back({http::field_name(name), name, value});
  return fields;
}

}  // namespace

HttpPipeline::HttpPipeline(proxy::TracingOptions tracing, observe::TracerOptions tracer, observe::RecordSink& sink,
                           std::uint64_t seed)
    : key_({1, 2, 3}),
      clock_(start()),
      relay_random_(seed),
      tracer_random_(seed + 1),
      tracer_(std::move(tracer), tracer_random_, activity_, sink),
      tracing_(with_acceptance(std::move(tracing)), key_, relay_random_, *this) {}

proxy::TracingOptions HttpPipeline::with_acceptance(proxy::TracingOptions options) {
  for (std::size_t i = 0; i < std::max<std::size_t>(options.route_names.size(), 1); ++i) {
    options.acceptance.push_back(acceptance_.emplace_back(std::make_unique<observe::Acceptance>()).get());
  }
  return options;
}

void HttpPipeline::push(const mcp::FactHead& fact, const mcp::Message& message) {
  ++facts_;
  if (lose_one_of_ != 0 && facts_ % lose_one_of_ == 0) return tracer_.add_dropped(1, fact.at.boot);
  const auto record = mcp::packed({fact, message});
  tracer_.feed(mcp::unpack(record));
}

void HttpPipeline::go_to(Nanos since_start) {
  const Nanos at = start().boot + since_start;
  while (const auto next = tracer_.next_deadline()) {
    if (*next > at) break;
    if (*next > clock_.boot()) clock_.advance(*next - clock_.boot());
    tracer_.on_time(clock_.now());
  }
  if (at > clock_.boot()) clock_.advance(at - clock_.boot());
}

proxy::ExchangeTap& HttpPipeline::tap(int connection) {
  auto& tap = taps_[connection];
  if (!tap) tap = tracing_.tap();
  return *tap;
}

Forwarded HttpPipeline::pass_body(proxy::ExchangeTap& tap, const Request& request, Instant at) {
  Forwarded forwarded;
  forwarded.body = request.body;
  if (request.cut) {
    if (tap.body_wish() == proxy::BodyWish::kPieces) tap.body_piece(request.body);
    return forwarded;
  }
  if (tap.body_wish() == proxy::BodyWish::kWhole && request.body.size() <= proxy::kHoldBytes) {
    const proxy::Rewrite rewrite = tap.whole_body(request.body, at);
    if (rewrite.edits != nullptr) forwarded.body = mcp::apply(request.body, *rewrite.edits);
    forwarded.traceparent = rewrite.traceparent;
    forwarded.tracestate = rewrite.tracestate;
    forwarded.changed = rewrite.edits != nullptr || !rewrite.traceparent.empty();
  } else if (tap.body_wish() != proxy::BodyWish::kNothing) {
    const std::string_view body = request.body;
    tap.body_piece(body.substr(0, body.size() / 2));
    tap.body_piece(body.substr(body.size() / 2));
    tap.body_end(at);
  }
  return forwarded;
}

Forwarded HttpPipeline::request(int connection, const Request& request) {
  const std::vector<http::Field> fields = fields_of(request.headers);
  http::RequestHead head;
  head.method = request.method;
  head.target = request.target;
  head.fields = fields;
  head.expects_continue = request.expects_continue;
  if (request.chunked) {
    head.framing = http::BodyFraming::kChunked;
  } else if (!request.body.empty()) {
    head.framing = http::BodyFraming::kLength;
    head.length = request.body.size();
  }
  proxy::ExchangeTap& exchange = tap(connection);
  const auto port = static_cast<std::uint16_t>(50'000 + connection);
  exchange.begin(head, request.target, request.route, {request.client, port}, clock_.now());
  return pass_body(exchange, request, clock_.now());
}

void HttpPipeline::answer(int connection, int status, const HeaderLines& headers) {
  const std::vector<http::Field> fields = fields_of(headers);
  http::ResponseHead head;
  head.status = status;
  head.fields = fields;
  tap(connection).response(head, clock_.now());
}

void HttpPipeline::piece(int connection, std::string_view bytes) {
  tap(connection).response_piece(bytes, clock_.now());
}

void HttpPipeline::end(int connection, proxy::ExchangeEnd how, std::string_view error_type) {
  tap(connection).end(how, error_type, clock_.now());
}

}  // namespace mcptrace::golden
