// Any bytes as an HTTP/1 request stream: how they are cut does not matter; what is accepted Beast accepts, and reads
// the same; and the head that goes on is read again as the same request, less the fields of the connection.
//
// Input: the first byte is the seed of the cuts; the rest is the stream.
#include <cstdint>

#include "http/head_writer.h"
#include "http_oracle.h"

namespace {

using namespace mcptrace::http;

const auto kReset = [](RequestParser& parser) { parser.reset(); };

// The head of `message` as it goes on.
std::string written(const MessageText& message, bool own_host) {
  RequestParser parser;
  std::size_t used = 0;
  MCPTRACE_CHECK(parser.next(message.bytes, used) == ParseEvent::kHead);
  const RequestHead& head = parser.head();
  std::string out;
  write_request_head(head,
                     {.target = head.target,
                      .host = own_host ? "upstream:1" : "",
                      .framing = head.framing,
                      .length = head.length,
                      .with_expect = head.expects_continue},
                     out);
  return out;
}

void check_rewriting(const MessageText& message) {
  const bool has_host = has_field(message, FieldName::kHost);
  const std::string out = written(message, !has_host);
  if (out.size() > kMaxHeadBytes || message.fields.size() + 2 > kMaxFields) return;  // with ours it may be too much
  const StreamText again = read_stream<RequestParser>(out, [&] { return out.size(); }, kReset);
  if (!has_host) {
    // What gives HTTP/1.0 a Host may only disagree with a target that has a host of its own.
    if (again.bad && message.first.find("://") != std::string::npos) return;
  }
  MCPTRACE_CHECK(!again.bad && again.messages.size() == 1);
  MessageText after = again.messages.front();
  MCPTRACE_CHECK(after.first == message.first);
  MCPTRACE_CHECK(after.framing == message.framing);
  MCPTRACE_CHECK(after.bytes == out);
  if (!has_host) after.fields.erase(after.fields.begin());
  check_forwarded(message, after);
  if (has_host) MCPTRACE_CHECK(written(after, false) == out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > (1 << 17)) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const StreamText text = read_both_ways<RequestParser>(stream, data[0], kReset);
  for (const MessageText& message : text.messages) {
    check_with_beast<true>(message, false);
    check_rewriting(message);
  }
  return 0;
}
