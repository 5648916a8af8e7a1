// What the heads of an HTTP exchange cost in the relay: parsing a request of 8 fields with 1 KiB of JSON, finding its
// route, writing the head that goes on; the same of the answer; and chunked bodies.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>

#include "http/access.h"
#include "http/head_writer.h"
#include "http/message_parser.h"
#include "keep.h"
#include "proxy/target.h"

namespace mcptrace::http {
namespace {

// `fields` after the first line; a body of 1 KiB.
std::string request_text() {
  return "POST /mcp HTTP/1.1\r\n"
         "Host: 127.0.0.1:8080\r\n"
         "User-Agent: node\r\n"
         "Accept: application/json, text/event-stream\r\n"
         "Content-Type: application/json\r\n"
         "MCP-Protocol-Version: 2025-11-25\r\n"
         "Mcp-Session-Id: 1868a90c-aa74-4d7f-a6a6-0123456789ab\r\n"
         "Connection: keep-alive\r\n"
         "Content-Length: 1024\r\n"
         "\r\n" +
         std::string(1024, 'x');
}

std::string answer_text() {
  return "HTTP/1.1 200 OK\r\n"
         "Content-Type: application/json\r\n"
         "Mcp-Session-Id: 1868a90c-aa74-4d7f-a6a6-0123456789ab\r\n"
         "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
         "Connection: keep-alive\r\n"
         "Keep-Alive: timeout=5\r\n"
         "Content-Length: 1024\r\n"
         "\r\n" +
         std::string(1024, 'x');
}

std::string chunked_text(std::size_t chunks, std::size_t size) {
  std::string text = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  char line[32];
  std::snprintf(line, sizeof(line), "%zx\r\n", size);
  for (std::size_t i = 0; i < chunks; ++i) text += line + std::string(size, 'x') + "\r\n";
  return text + "0\r\n\r\n";
}

template <class Parser>
std::size_t parse_all(Parser& parser, std::string_view input) {
  std::size_t bytes = 0;
  while (true) {
    std::size_t used = 0;
    const ParseEvent event = parser.next(input, used);
    input.remove_prefix(used);
    if (event == ParseEvent::kBody) bytes += parser.body().size();
    if (event == ParseEvent::kEnd) return bytes;
    if (event == ParseEvent::kBad || event == ParseEvent::kNeedMore) std::abort();
  }
}

void BM_ParseRequest(benchmark::State& state) {
  const std::string text = request_text();
  RequestParser parser;
  for (auto _ : state) {
    parser.reset();
    keep(parse_all(parser, text));
  }
}
BENCHMARK(BM_ParseRequest);

void BM_ParseAnswer(benchmark::State& state) {
  const std::string text = answer_text();
  ResponseParser parser;
  for (auto _ : state) {
    parser.reset(false);
    keep(parse_all(parser, text));
  }
}
BENCHMARK(BM_ParseAnswer);

void BM_ParseChunks(benchmark::State& state) {
  const std::string text =
      chunked_text(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
  ResponseParser parser;
  for (auto _ : state) {
    parser.reset(false);
    keep(parse_all(parser, text));
  }
}
BENCHMARK(BM_ParseChunks)->Args({1, 1024})->Args({100, 100});

void BM_Admit(benchmark::State& state) {
  const std::string text = request_text();
  RequestParser parser;
  std::size_t used = 0;
  parser.next(text, used);
  const Access access = *Access::make({}, {});
  const auto routes = *proxy::RouteTable::make({*proxy::parse_route("/=http://127.0.0.1:3000")});
  for (auto _ : state) {
    keep(access.check(parser.head()));
    keep(routes.find(parser.head().target));
  }
}
BENCHMARK(BM_Admit);

void BM_WriteRequestHead(benchmark::State& state) {
  const std::string text = request_text();
  RequestParser parser;
  std::size_t used = 0;
  parser.next(text, used);
  std::string out;
  for (auto _ : state) {
    write_request_head(parser.head(),
                       {.target = "/mcp",
                        .host = "127.0.0.1:3000",
                        .framing = BodyFraming::kLength,
                        .length = 1110,
                        .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                        .tracestate = "ot=rv:0123456789abcd"},
                       out);
    keep(out.data());
  }
}
BENCHMARK(BM_WriteRequestHead);

void BM_WriteAnswerHead(benchmark::State& state) {
  const std::string text = answer_text();
  ResponseParser parser;
  parser.reset(false);
  std::size_t used = 0;
  parser.next(text, used);
  std::string out;
  for (auto _ : state) {
    write_response_head(parser.head(), {.framing = BodyFraming::kLength, .length = 1024}, out);
    keep(out.data());
  }
}
BENCHMARK(BM_WriteAnswerHead);

}  // namespace
}  // namespace mcptrace::http
