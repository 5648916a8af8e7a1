// Server-sent events: how the stream is cut changes nothing of what is said, and what is said keeps its limits.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "mcp/sse_framer.h"

namespace {

using namespace mcptrace;
using namespace mcptrace::mcp;

const HashKey& fuzz_key() {
  static const HashKey key({});
  return key;
}

struct Seen {
  void add(const Found& found) {
    declared += found.declared.size();
    if (found.message == nullptr) return;
    const Message& message = *found.message;
    seen = mix64(message[Text::kId], seen) + message.bytes + message.flags + message.id.exact + message.name_hash;
    ++messages;
  }
  void add(const SseEvent& event) {
    MCPTRACE_CHECK(event.type.size() <= kSseTypeBytes && event.data.size() <= kSseDataBytes);
    MCPTRACE_CHECK(event.has_data || event.has_id);
    MCPTRACE_CHECK(!event.is_message || (event.has_data && event.data.empty()));
    MCPTRACE_CHECK(event.data_cut || event.is_message || event.data.size() == event.bytes);
    seen = mix64(event.type, seen);
    seen = mix64(event.data, seen) + event.bytes * 8 + event.data_cut * 4u + event.has_id * 2u + event.is_message;
    seen += event.id_print;
    ++events;
  }

  std::uint64_t seen = 0, messages = 0, declared = 0, events = 0;
};

Seen run(SseFramer& framer, std::string_view stream, std::size_t cut, bool& unfinished) {
  Seen seen;
  for (std::size_t at = 0; at < stream.size(); at += cut) {
    // A copy, so that AddressSanitizer sees who looks beyond a piece or after it.
    const std::string piece(stream.substr(at, cut));
    framer.passed(piece);
    while (const SseFound found = framer.next()) {
      if (found.found != nullptr) seen.add(*found.found);
      if (found.event == nullptr) continue;
      MCPTRACE_CHECK(found.event->id_print == framer.event_id());
      seen.add(*found.event);
    }
  }
  unfinished = framer.end();
  framer.reset();
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kMostBytes = 32 << 10;
  if (size < 1 || size > kMostBytes) return 0;
  const std::size_t cut = 1 + data[0] % 64;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);

  SseFramer framer(fuzz_key());
  bool whole_unfinished = false, unfinished = false;
  const Seen whole = run(framer, stream, kMostBytes, whole_unfinished);
  for (const std::size_t each : {cut, std::size_t{1}}) {
    const Seen pieces = run(framer, stream, each, unfinished);
    MCPTRACE_CHECK(pieces.seen == whole.seen && pieces.messages == whole.messages && pieces.events == whole.events);
    MCPTRACE_CHECK(pieces.declared == whole.declared && unfinished == whole_unfinished);
  }
  return 0;
}
