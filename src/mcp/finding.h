// What is wrong on the wire without being a call's error (docs/findings.md): seen by the relay or by the observer,
// counted on the session's root, and noted on the span of the call that it concerns. None holds content.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mcptrace::mcp {

// F(X, enumerator, "code"); X is passed on. What each means, how bad it is and what to do about it stands in
// trace/findings.cc. Order is free; nothing on disk depends on it.
#define MCPTRACE_FINDINGS(F, X)                        \
  F(X, ContentLengthFraming, "content_length_framing") \
  F(X, StdoutNotJson, "stdout_not_json")               \
  F(X, NotMcpMessage, "not_mcp_message")               \
  F(X, Echo, "echo")                                   \
  F(X, InvalidUtf8, "invalid_utf8")                    \
  F(X, BadJsonrpc, "bad_jsonrpc")                      \
  F(X, NullId, "null_id")                              \
  F(X, IdMismatch, "id_mismatch")                      \
  F(X, ReusedId, "reused_id")                          \
  F(X, UnmatchedAnswer, "unmatched_answer")            \
  F(X, SecondAnswer, "second_answer")                  \
  F(X, LateAnswer, "late_answer")                      \
  F(X, CancelledAfterAnswer, "cancelled_after_answer") \
  F(X, UndeclaredTool, "undeclared_tool")              \
  F(X, ToolChanged, "tool_changed")                    \
  F(X, StrictServer, "strict_server")                  \
  F(X, ForeignEndpoint, "foreign_endpoint")            \
  F(X, ForeignRedirect, "foreign_redirect")            \
  F(X, BadContentType, "bad_content_type")             \
  F(X, BadEncoding, "bad_encoding")                    \
  F(X, BadAnswerHead, "bad_answer_head")               \
  F(X, HeaderMismatch, "header_mismatch")              \
  F(X, MissingHeader, "missing_header")                \
  F(X, RepeatedHeader, "repeated_header")              \
  F(X, MissingMeta, "missing_meta")                    \
  F(X, BadResultType, "bad_result_type")               \
  F(X, Deprecated, "deprecated")                       \
  F(X, Lost, "lost")

enum class Finding : std::uint8_t {
#define MCPTRACE_X(unused, name, code) k##name,
  MCPTRACE_FINDINGS(MCPTRACE_X, )
#undef MCPTRACE_X
      kCount
};
inline constexpr std::size_t kFindingCount = static_cast<std::size_t>(Finding::kCount);

// A set of them.
using Findings = std::uint64_t;
constexpr Findings finding_bit(Finding finding) { return Findings{1} << static_cast<unsigned>(finding); }
static_assert(kFindingCount <= 64);

}  // namespace mcptrace::mcp
