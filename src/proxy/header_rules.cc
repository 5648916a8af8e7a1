#include "proxy/header_rules.h"

#include <optional>
#include <string>

#include "base/text.h"
#include "mcp/long_hash.h"

namespace mcptrace::proxy {
namespace {

using mcp::Finding;
using mcp::finding_bit;
using mcp::Message;
using mcp::Method;
using mcp::Text;

constexpr std::string_view kEncodedBegin = "=?base64?";
constexpr std::string_view kEncodedEnd = "?=";

// Nothing: it is said to be encoded, and is not.
std::optional<std::string> decode(std::string_view value) {
  if (!value.starts_with(kEncodedBegin) || !value.ends_with(kEncodedEnd)) return std::string(value);
  value.remove_prefix(kEncodedBegin.size());
  if (value.size() < kEncodedEnd.size()) return std::nullopt;
  value.remove_suffix(kEncodedEnd.size());
  return base64_decode(value);
}

// Of `text` a message may hold the beginning alone.
bool equal(std::string_view header, std::string_view text, bool cut) {
  return cut ? header.starts_with(text) : header == text;
}

bool method_differs(std::string_view header, const Message& message) {
  const bool known = message.method != Method::kUnknown;
  return !equal(header, known ? mcp::method_text(message.method) : message[Text::kMethod],
                message.has(mcp::kMethodCut));
}

bool is_task_method(Method method) {
  return method == Method::kTasksGet || method == Method::kTasksUpdate || method == Method::kTasksCancel;
}

// As the scanner makes it.
std::uint64_t print(std::string_view text, std::string_view domain, const HashKey& key) {
  mcp::LongHash hash(key, domain);
  hash.update(text);
  return hash.finish();
}

// What Mcp-Name has to repeat is there.
bool has_name(const Message& message) {
  return !message[Text::kName].empty() || message.uri != 0 || (is_task_method(message.method) && message.task != 0);
}

bool name_differs(std::string_view header, const Message& message, const HashKey& key) {
  const auto name = decode(header);
  if (!name) return true;
  if (is_task_method(message.method)) return print(*name, "task", key) != message.task;
  if (message.uri != 0) return print(*name, "uri", key) != message.uri;
  return !equal(*name, message[Text::kName], message.has(mcp::kNameCut));
}

}  // namespace

mcp::Findings header_findings(const HeadText& head, const Message& message, const HashKey& key) {
  if (!head.modern) {
    const bool lacks = message.method != Method::kInitialize && head.version.empty() &&
                       is_modern_version(message[Text::kProtocolVersion]);
    return lacks ? finding_bit(Finding::kMissingHeader) : 0;
  }
  const bool named = has_name(message);
  mcp::Findings findings = 0;
  if (head.repeats) findings |= finding_bit(Finding::kRepeatedHeader);
  if (head.method.empty() || (named && head.name.empty())) findings |= finding_bit(Finding::kMissingHeader);
  const std::string_view version = message[Text::kProtocolVersion];
  if ((!version.empty() && version != head.version) || (!head.method.empty() && method_differs(head.method, message)) ||
      (named && !head.name.empty() && name_differs(head.name, message, key))) {
    findings |= finding_bit(Finding::kHeaderMismatch);
  }
  return findings;
}

}  // namespace mcptrace::proxy
