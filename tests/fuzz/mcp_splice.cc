// Any line: undo(inject(x)) == x, and what is injected reads as the same message but for its context.
//
// Input: the first byte chooses the tracestate; the rest is the line.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "mcp/message_scanner.h"
#include "mcp/splice.h"
#include "mcp/testing.h"

namespace {

using namespace mcptrace;
using namespace mcptrace::mcp;

constexpr std::string_view kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

const HashKey& fuzz_key() {
  static const HashKey key({});
  return key;
}

// The last message of a line, with what of it must survive.
struct Seen {
  Message last;
  std::string context, rest;
  std::optional<SpliceMap> splice;
};

Seen scan(std::string_view line) {
  Seen seen;
  MessageScanner scanner(Direction::kClientToServer, fuzz_key());
  scanner.feed(line);
  scanner.end_line(line.size() + 1);
  while (const Found* found = scanner.next()) {
    if (found->message == nullptr) continue;
    const Message& message = *found->message;
    seen.last = message;
    seen.context = std::string(message[Text::kTraceparent]) + "|" + std::string(message[Text::kTracestate]);
    seen.rest.clear();
    for (std::size_t i = 0; i < kTextCount; ++i) {
      const auto text = static_cast<Text>(i);
      if (text != Text::kTraceparent && text != Text::kTracestate) seen.rest += std::string(message.text[i]) + "|";
    }
    seen.splice = found->map == nullptr ? std::nullopt : std::optional(*found->map);
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > (1 << 16)) return 0;
  const std::string_view tracestate = data[0] % 3 == 0 ? "" : data[0] % 3 == 1 ? "a=b" : "a=\"\\,b=c";
  const std::string_view line(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Seen before = scan(line);
  if (!before.splice || may_inject(before.last, *before.splice) != NotInjected::kNone) return 0;

  Edits edits;
  plan_splice(*before.splice, {kParent, tracestate}, edits);
  const std::string spliced = mcp::apply(line, edits);
  std::string removed;
  for (std::size_t i = 0; i < edits.count; ++i)
    removed += line.substr(edits.edit[i].offset, edits.edit[i].removed_size);
  MCPTRACE_CHECK(undo(spliced, edits, removed) == line);

  const Seen after = scan(spliced);
  MCPTRACE_CHECK(after.splice.has_value());
  MCPTRACE_CHECK(after.context == std::string(kParent) + "|" + std::string(tracestate));
  MCPTRACE_CHECK(after.rest == before.rest);
  MCPTRACE_CHECK(after.last.id == before.last.id && after.last.method == before.last.method);
  MCPTRACE_CHECK(after.last.kind == before.last.kind && after.last.name_hash == before.last.name_hash);
  MCPTRACE_CHECK(!after.last.has(kAmbiguous));
  MCPTRACE_CHECK(may_inject(after.last, *after.splice) == NotInjected::kNone);
  return 0;
}
