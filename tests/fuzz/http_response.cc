// Any bytes as an HTTP/1 answer stream: how they are cut does not matter; what is accepted Beast accepts, and reads the
// same; and the head that goes on is read again as the same answer, less the fields of the connection.
//
// Input: the first byte is the seed of the cuts, and says with its lowest bit whether HEAD was asked; the rest is the
// stream.
#include <cstdint>

#include "http/head_writer.h"
#include "http_oracle.h"

namespace {

using namespace mcptrace::http;

void check_rewriting(const MessageText& message, bool to_head) {
  ResponseParser parser;
  parser.reset(to_head);
  std::size_t used = 0;
  MCPTRACE_CHECK(parser.next(message.bytes, used) == ParseEvent::kHead);
  const ResponseHead& head = parser.head();
  const bool until_close = head.framing == BodyFraming::kUntilClose;
  std::string out;
  write_response_head(
      head, {.framing = head.framing, .length = head.length, .close = until_close, .interim = head.status < 200}, out);
  if (out.size() > kMaxHeadBytes || message.fields.size() + 2 > kMaxFields) return;  // with ours it may be too much
  const auto reset = [&](ResponseParser& fresh) { fresh.reset(to_head); };
  const StreamText again = read_stream<ResponseParser>(out, [&] { return out.size(); }, reset);
  MCPTRACE_CHECK(!again.bad && again.messages.size() == 1);
  const MessageText& after = again.messages.front();
  MCPTRACE_CHECK(after.first == message.first);
  MCPTRACE_CHECK(after.framing == message.framing);
  MCPTRACE_CHECK(after.bytes == out);
  check_forwarded(message, after);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > (1 << 17)) return 0;
  const bool to_head = (data[0] & 1) != 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto reset = [&](ResponseParser& parser) { parser.reset(to_head); };
  const StreamText text = read_both_ways<ResponseParser>(stream, data[0], reset);
  for (const MessageText& message : text.messages) {
    check_with_beast<false>(message, to_head);
    check_rewriting(message, to_head);
  }
  return 0;
}
