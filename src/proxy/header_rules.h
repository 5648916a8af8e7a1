// What the modern era asks of a request's headers, which repeat what its body says (2026-07-28, Transports, Streamable
// HTTP). Servers refuse what differs; it is noted, and nothing is changed. Pure; the relay thread's.
#pragma once

#include "base/keyed_hash.h"
#include "mcp/finding.h"
#include "mcp/message.h"
#include "proxy/traced_head.h"

namespace mcptrace::proxy {

// Of a client's request; none for one of another era. `key`: the installation's, as in MessageScanner.
mcp::Findings header_findings(const HeadText& head, const mcp::Message& message, const HashKey& key);

}  // namespace mcptrace::proxy
