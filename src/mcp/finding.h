// What is wrong on the wire without being a call's error (docs/findings.md): seen by the relay or by the observer,
// counted on the session's root, and noted on the span of the call that it concerns. None holds content.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mcptrace::mcp {

// X(enumerator, "code"). What each means, how bad it is and what to do about it stands in trace/findings.cc. Order is
// free; nothing on disk depends on it.
#define MCPTRACE_FINDINGS(X)                        \
  X(ContentLengthFraming, "content_length_framing") \
  X(StdoutNotJson, "stdout_not_json")               \
  X(NotMcpMessage, "not_mcp_message")               \
  X(Echo, "echo")                                   \
  X(InvalidUtf8, "invalid_utf8")                    \
  X(BadJsonrpc, "bad_jsonrpc")                      \
  X(NullId, "null_id")                              \
  X(IdMismatch, "id_mismatch")                      \
  X(ReusedId, "reused_id")                          \
  X(UnmatchedAnswer, "unmatched_answer")            \
  X(SecondAnswer, "second_answer")                  \
  X(LateAnswer, "late_answer")                      \
  X(CancelledAfterAnswer, "cancelled_after_answer") \
  X(UndeclaredTool, "undeclared_tool")              \
  X(ToolChanged, "tool_changed")                    \
  X(StrictServer, "strict_server")                  \
  X(ForeignEndpoint, "foreign_endpoint")            \
  X(ForeignRedirect, "foreign_redirect")            \
  X(BadContentType, "bad_content_type")             \
  X(BadEncoding, "bad_encoding")                    \
  X(BadAnswerHead, "bad_answer_head")               \
  X(HeaderMismatch, "header_mismatch")              \
  X(MissingHeader, "missing_header")                \
  X(RepeatedHeader, "repeated_header")              \
  X(MissingMeta, "missing_meta")                    \
  X(BadResultType, "bad_result_type")               \
  X(Deprecated, "deprecated")                       \
  X(Lost, "lost")

enum class Finding : std::uint8_t {
#define MCPTRACE_X(name, code) k##name,
  MCPTRACE_FINDINGS(MCPTRACE_X)
#undef MCPTRACE_X
      kCount
};
inline constexpr std::size_t kFindingCount = static_cast<std::size_t>(Finding::kCount);

// A set of them.
using Findings = std::uint64_t;
constexpr Findings finding_bit(Finding finding) { return Findings{1} << static_cast<unsigned>(finding); }
static_assert(kFindingCount <= 64);

}  // namespace mcptrace::mcp
