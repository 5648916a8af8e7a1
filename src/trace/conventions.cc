#include "trace/conventions.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace mcptrace::trace {
namespace {

struct AttrRow {
  std::string_view key;
  Set set;
};

constexpr AttrRow kAttrs[] = {
#define MCPTRACE_X(name, key, set) {key, Set::set},
    MCPTRACE_ATTRIBUTES(MCPTRACE_X)
#undef MCPTRACE_X
};
static_assert(std::size(kAttrs) == static_cast<std::size_t>(Attr::kCount));

constexpr std::string_view kOther = "_OTHER";

// The guide's name of one method. No std::string: the table must outlive every thread, so it has no destructor.
struct GuideName {
  std::array<char, 63> text{};
  std::uint8_t size = 0;

  void append(std::string_view piece) {
    MCPTRACE_CHECK(size + piece.size() <= text.size());
    std::ranges::copy(piece, text.begin() + size);
    size = static_cast<std::uint8_t>(size + piece.size());
  }
  [[nodiscard]] std::string_view view() const { return {text.data(), size}; }
};

using GuideNames = std::array<GuideName, static_cast<std::size_t>(mcp::Method::kCount)>;

GuideNames make_guide_names() {
  GuideNames names;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto method = static_cast<mcp::Method>(i);
    const std::string_view operation = operation_text(operation_of(method));
    const std::string_view spelling = mcp::method_text(method);
    GuideName& name = names[i];
    name.append("mcp.");
    name.append(!operation.empty() ? operation : !spelling.empty() ? spelling : kOther);
    std::ranges::replace(name.text, '/', '_');
  }
  return names;
}

std::string_view guide_name(mcp::Method method) {
  static const GuideNames kNames = make_guide_names();
  const auto index = static_cast<std::size_t>(method);
  MCPTRACE_CHECK(index < kNames.size());
  return kNames[index].view();
}

}  // namespace

std::string_view operation_text(Operation operation) {
  switch (operation) {
    case Operation::kNone:
      return "";
    case Operation::kInitialize:
      return "initialize";
    case Operation::kDiscover:
      return "discover";
    case Operation::kToolsList:
      return "tools_list";
    case Operation::kToolCall:
      return "tool_call";
  }
  return "";
}

Operation operation_of(mcp::Method method) {
  switch (method) {
    case mcp::Method::kInitialize:
      return Operation::kInitialize;
    case mcp::Method::kServerDiscover:
      return Operation::kDiscover;
    case mcp::Method::kToolsList:
      return Operation::kToolsList;
    case mcp::Method::kToolsCall:
      return Operation::kToolCall;
    default:
      return Operation::kNone;
  }
}

std::string_view finding_code(mcp::Finding finding) {
  return attr_key(finding_count(finding)).substr(attr_key(Attr::kFinding).size() + 1);
}

std::optional<mcp::Finding> finding_of(std::string_view code) {
  for (std::size_t i = 0; i < mcp::kFindingCount; ++i) {
    if (const auto finding = static_cast<mcp::Finding>(i); finding_code(finding) == code) return finding;
  }
  return std::nullopt;
}

std::string_view attr_key(Attr attr) { return kAttrs[static_cast<std::size_t>(attr)].key; }

bool attr_in(Attr attr, Naming naming) { return set_in(kAttrs[static_cast<std::size_t>(attr)].set, naming); }

std::string_view span_name(mcp::Method method, Naming naming, std::string_view target, std::string& buffer) {
  if (naming != Naming::kSemconv) return guide_name(method);
  const std::string_view spelling = mcp::method_text(method);
  if (spelling.empty()) return kOther;
  if (target.empty()) return spelling;
  buffer.assign(spelling).append(1, ' ').append(target);
  return buffer;
}

std::string_view auth_scheme_text(mcp::AuthScheme scheme) {
  switch (scheme) {
    case mcp::AuthScheme::kBearer:
      return "Bearer";
    case mcp::AuthScheme::kBasic:
      return "Basic";
    case mcp::AuthScheme::kDigest:
      return "Digest";
    case mcp::AuthScheme::kDpop:
      return "DPoP";
    case mcp::AuthScheme::kNegotiate:
      return "Negotiate";
    case mcp::AuthScheme::kNone:
    case mcp::AuthScheme::kOther:
      break;
  }
  return "_OTHER";
}

}  // namespace mcptrace::trace
