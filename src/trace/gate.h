// The gate: what of a string from the wire may be written (docs/architecture.md, What may be written). Everything that
// ends up on a span came through here or is our own constant.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mcptrace::trace {

// A tool, prompt or method name: itself if it is mcp::is_plain_name(), or is `declared` (then made valid UTF-8,
// controls, direction marks and other invisible characters stripped, cut to 128 bytes between characters); else, or
// where nothing is left of it, "_OTHER#" and 8 hex digits of `print`. `cut`: the text is not all of the name. The
// result is `text`, or is written into `buffer`.
std::string_view gate_name(std::string_view text, bool cut, bool declared, std::uint64_t print, std::string& buffer);

// A client's or server's name or version: itself if it is mcp::is_plain_peer(), else "#" + 8 hex
// digits of `print`. Empty stays empty. The caller must know that the text is whole.
void gate_peer(std::string_view text, std::uint64_t print, std::string& out);

// A request id: itself if it is mcp::is_plain_id(); else "#" + 8 hex digits of `print`. Of
// an id that was cut (mcp::kIdCut) give no text, so that the rest of it does not look like an id of its own.
// The result is `text`, or is written into `buffer`.
std::string_view gate_request_id(std::string_view text, bool integer, std::uint64_t print, std::string& buffer);

// A protocol version: at most 32 of the name form; else "_OTHER".
std::string_view gate_version(std::string_view text);

}  // namespace mcptrace::trace
