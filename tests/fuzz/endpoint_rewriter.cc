// Any bytes as an event stream: how they are cut does not matter, and all that changes is the data of its first event,
// if that is an `endpoint` event with one line of data. Against a reader of whole streams that is as simple as the
// standard's text.
//
// Input: the first byte is the seed of the cuts; the rest is the stream.
#include "proxy/endpoint_rewriter.h"

#include <cstdint>
#include <optional>
#include <random>

#include "base/check.h"

namespace {

using namespace mcptrace;
using namespace mcptrace::proxy;

constexpr ClientView kClient{.scheme = "http", .host = "localhost:8080", .request_target = "/a/sse?x"};

const RouteTable& routes() {
  static const RouteTable table =
      *RouteTable::make({*parse_route("/a=http://up:3001"), *parse_route("/a/b=https://other")});
  return table;
}

struct Span {
  std::size_t begin = 0, size = 0;
};

// Where the URI of an `endpoint` event stands, if that is the stream's first event.
std::optional<Span> find_endpoint(std::string_view stream) {
  std::size_t at = stream.starts_with("\xef\xbb\xbf") ? 3 : 0;
  std::string_view type;
  std::optional<Span> data;
  int data_lines = 0;
  while (true) {
    const std::size_t end = stream.find_first_of("\r\n", at);
    if (end == stream.npos) return std::nullopt;
    const std::string_view line = stream.substr(at, end - at);
    if (line.empty()) {
      if (data_lines > 0) return type == "endpoint" && data_lines == 1 ? data : std::nullopt;
      type = {};
    }
    const std::size_t colon = std::min(line.find(':'), line.size());
    std::size_t value = std::min(colon + 1, line.size());
    if (value < line.size() && line[value] == ' ') ++value;
    if (line.substr(0, colon) == "event") type = line.substr(value);
    if (line.substr(0, colon) == "data") {
      data = Span{at + value, line.size() - value};
      ++data_lines;
    }
    // What begins as an object is a message.
    if (data && stream.substr(data->begin, data->size).starts_with('{')) return std::nullopt;
    // An event of another type is not waited for, even if it were to change its type after its data.
    if (data_lines > 0 && !type.empty() && type != "endpoint") return std::nullopt;
    at = end + (stream.substr(end, 2) == "\r\n" ? 2 : 1);
  }
}

std::string rewrite(std::string_view stream, unsigned seed, std::size_t most) {
  std::minstd_rand random(seed + 1);
  EndpointRewriter rewriter;
  rewriter.begin(routes(), 0, kClient);
  std::string out;
  while (!stream.empty()) {
    const std::size_t size = std::min<std::size_t>(1 + random() % most, stream.size());
    const std::string piece(stream.substr(0, size));
    rewriter.feed(piece, out);
    stream.remove_prefix(size);
  }
  rewriter.finish(out);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > kMaxHeldBytes) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string expected(stream);
  if (const auto uri = find_endpoint(stream)) {
    const std::string old(stream.substr(uri->begin, uri->size));
    expected.replace(uri->begin, uri->size, client_uri(routes(), 0, old, kClient).uri);
  }
  MCPTRACE_CHECK(rewrite(stream, data[0], 1 << 20) == expected);
  MCPTRACE_CHECK(rewrite(stream, data[0], 1) == expected);
  MCPTRACE_CHECK(rewrite(stream, data[0], 20) == expected);
  return 0;
}
