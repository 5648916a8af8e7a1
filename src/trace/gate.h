// The gate: what of a string from the wire may be written (docs/architecture.md, What may be written). Everything that
// ends up on a span came through here or is our own constant.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mcptrace::trace {

// A tool, prompt or method name: itself if it is mcp::is_plain_name(), or is `declared` (then made valid UTF-8,
// stripped of all that a person would not see, cut to 128 bytes between characters; where that makes it look like a
// name of the plain form, which it is not, "#" and 8 hex digits of `print` follow); else, or where nothing is left of
// it, "_OTHER#" and the digits. `cut`: the text is not all of the name. The result is `text`, or is written into
// `buffer`.
std::string_view gate_name(std::string_view text, bool cut, bool declared, std::uint64_t print, std::string& buffer);

// A client's or server's name or version: itself if it is UTF-8 of at most 64 letters, marks, numbers, punctuation
// marks, symbols and plain spaces, of any script; else "#" + 8 hex digits of `print`, which is needed only where it is
// not mcp::is_plain_peer(). Empty stays empty. Of a text that was cut to its limit, more than 64 are left.
void gate_peer(std::string_view text, std::uint64_t print, std::string& out);

// A request id: itself if it is mcp::is_plain_id(); else "#" + 8 hex digits of `print`. Of
// an id that was cut (mcp::kIdCut) give no text, so that the rest of it does not look like an id of its own.
// The result is `text`, or is written into `buffer`.
std::string_view gate_request_id(std::string_view text, bool integer, std::uint64_t print, std::string& buffer);

// A protocol version: at most 32 of the name form; else "_OTHER".
std::string_view gate_version(std::string_view text);

}  // namespace mcptrace::trace
