#include "trace/findings.h"

#include <iterator>

#include "trace/conventions.h"

namespace mcptrace::trace {
namespace {

using enum Severity;

// In the order of mcp::Finding.
constexpr FindingText kTexts[] = {
    {kError, "On stdio, a side frames its messages by `Content-Length:`, as editors' language servers do.",
     "whoever wrote that side",
     "Write one JSON object a line; mcptrace relays it untouched and traces it all the same.", "Transports, stdio"},
    {kWarning, "The server wrote a line to its standard output that is no JSON.", "server",
     "Print logs and banners to stderr: stdout is for messages only, and some clients give up at such a line.",
     "Transports, stdio"},
    {kWarning, "On stdio, a line or a counted body is JSON, but no MCP message.", "whoever wrote that side",
     "Check what is started: another protocol (LSP, ACP) or an older JSON-RPC is spoken; `.from_client` counts those "
     "of the client.",
     "Base protocol, Messages"},
    {kError, "The client's own requests come back on the server's standard output: a terminal, or `cat`, echoes them.",
     "whoever runs it", "Start the server itself, not a shell or a terminal that echoes what it is given.",
     "Transports, stdio"},
    {kError, "A message holds bytes that are no UTF-8.", "whoever wrote that side",
     "Encode messages as UTF-8: strict clients stop reading the stream at such a byte, and hang.", "Transports"},
    {kWarning, "An answer lacks `\"jsonrpc\":\"2.0\"`.", "server", "Add it: strict clients do not take the answer.",
     "Base protocol, Messages"},
    {kError, "A request has `\"id\":null`.", "client",
     "Give each request an id of its own, a string or an integer: the answer to this one fits none.",
     "Base protocol, Requests"},
    {kError, "An answer's id differs in form from that of its request (`\"1\"` or `1.0` for `1`).", "server",
     "Send the id back as it came, with its type: most clients wait for the answer until they give up.",
     "Base protocol, Responses"},
    {kError, "A request used an id that another open request of the same sender has.", "client",
     "Count ids up, over all connections of a session: which answer is whose, nobody can tell.",
     "Base protocol, Requests"},
    {kWarning, "An answer fits no request that was asked.", "server",
     "Answer each request once, on the connection or the session it came on.", "Base protocol, Responses"},
    {kWarning, "A request was answered twice.", "server", "Answer each request once; the client took the first.",
     "Base protocol, Responses"},
    {kNotice, "An answer came after its request was given up.", "nobody",
     "Nothing is wrong on the wire; if it happens often, the client's time limit is shorter than the server's work.",
     "Utilities, Cancellation"},
    {kNotice, "The client cancelled a request that was answered already.", "nobody",
     "Nothing is wrong on the wire: the two crossed.", "Utilities, Cancellation"},
    {kWarning, "A tool was called that the server does not list.", "client",
     "Ask for the list again when it changes; a model may have made the name up.", "Server features, Tools"},
    {kNotice, "A tool's definition differs from the one that was known here.", "whoever runs it",
     "Look at what changed: a model is told what stands in it.", "Server features, Tools"},
    {kWarning, "The server refuses requests whose `params` hold a `_meta` that it does not know.", "server",
     "Let `params` have members that are not known; until then mcptrace adds none (`--inject`).",
     "Base protocol, `_meta`"},
    {kError, "HTTP+SSE: the `endpoint` event names another origin.", "server",
     "Name a path, or the origin that clients connect to: they refuse any other.", "Transports, HTTP with SSE"},
    {kWarning, "HTTP: the server redirects to where the proxy does not lead.", "whoever runs it",
     "Point the proxy at the final address: what happens there is not seen.", "-"},
    {kError, "HTTP: an answer's body is right, and its `Content-Type` is not.", "server",
     "Send `application/json` or `text/event-stream`: clients refuse anything else.", "Transports, Streamable HTTP"},
    {kWarning, "HTTP: a `Content-Encoding` is none, or not that of the body.", "server",
     "Name the coding that was used, or leave the field out.", "RFC 9110, 8.4"},
    {kError, "HTTP: an answer's head is none that HTTP/1.1 allows, and was refused.", "server",
     "See the span's `mcptrace.reason` for what was wrong with it.", "RFC 9112"},
    {kWarning, "HTTP, modern: a header says otherwise than the body.", "client",
     "Make `MCP-Protocol-Version`, `Mcp-Method` and `Mcp-Name` of the body that is sent; servers refuse the request.",
     "Transports, Streamable HTTP, 2026-07-28"},
    {kWarning, "HTTP, modern: `MCP-Protocol-Version`, `Mcp-Method` or `Mcp-Name` is missing.", "client",
     "Send them; if the client does, something between drops them.", "Transports, Streamable HTTP, 2026-07-28"},
    {kWarning, "HTTP, modern: `MCP-Protocol-Version`, `Mcp-Method` or `Mcp-Name` occurs twice.", "client",
     "Send each once: servers refuse the request.", "Transports, Streamable HTTP, 2026-07-28"},
    {kWarning, "Modern: a request's `_meta` lacks the protocol version or the client's capabilities.", "client",
     "Send both with each request: servers refuse it with -32602.", "Base protocol, `_meta`, 2026-07-28"},
    {kWarning, "Modern: a result's `resultType` is missing, or none that the client knows.", "server",
     "Send `complete` or `input_required`.", "Base protocol, Results, 2026-07-28"},
    {kNotice, "Something was used in an era that dropped it: a method, a batch, a session header.",
     "whoever wrote that side", "See the changelog of the version that was agreed on.", "Changelog"},
    {kWarning, "Telemetry was lost: dropped, deleted unread to make room, or unreadable. No traffic was.",
     "whoever runs it", "See `mcptrace.dropped` for how much; give the spool more room, or the machine more time.",
     "-"},
};
static_assert(std::size(kTexts) == mcp::kFindingCount);

}  // namespace

std::string_view severity_text(Severity severity) {
  switch (severity) {
    case kNotice:
      return "notice";
    case kWarning:
      return "warning";
    case kError:
      return "error";
  }
  return "";
}

const FindingText& finding_text(mcp::Finding finding) { return kTexts[static_cast<std::size_t>(finding)]; }

std::string findings_page() {
  std::string page =
      "# Findings\n\n"
      "What was wrong on the wire without being a call's error. A session's root counts each as "
      "`mcptrace.finding.<code>`;\n"
      "where one call is concerned, its span has an event `mcptrace.finding` with the code. None holds content.\n\n"
      "An *error* makes clients hang or misread, a *warning* is against the specification, a *notice* is legal and "
      "worth "
      "knowing.\n\n"
      "This page is made of the table in `src/trace/findings.cc`.\n\n"
      "| code | severity | what it means | who can mend it | what to do | specified in |\n"
      "|---|---|---|---|---|---|\n";
  for (std::size_t i = 0; i < mcp::kFindingCount; ++i) {
    const FindingText& text = kTexts[i];
    page.append("| `").append(finding_code(static_cast<mcp::Finding>(i)));
    page.append("` | ").append(severity_text(text.severity));
    for (const std::string_view cell : {text.meaning, text.mended_by, text.remedy, text.source}) {
      page.append(" | ").append(cell);
    }
    page.append(" |\n");
  }
  return page;
}

}  // namespace mcptrace::trace
