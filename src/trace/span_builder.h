// From a call that ended to its span: names, attributes, status, links and events by docs/spans.md,
// every string through the gate. Pure; used by the observer thread. The spans it fills borrow from it and from the
// call: use them before the next build.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mcp/call_table.h"
#include "trace/call_attributes.h"
#include "trace/span_record.h"

namespace mcptrace::trace {

// What a span says of its session; strings that passed the gate.
struct SessionText {
  std::string session_id;   // "s-" + 16 hex
  std::string client_name;  // empty: unknown
  std::string version;      // negotiated protocol version; empty: unknown
  TraceId root_trace_id;
  SpanId root_span_id;  // zero, and the id empty: of no session
  bool guessed = false;
};

// What a span says of the HTTP exchange it came in. Strings are numeric addresses, or what the
// configuration names.
struct HttpPart {
  mcp::HttpMethod method = mcp::HttpMethod::kOther;
  std::uint8_t minor_version = 1;
  int status = 0;  // 0: there was no answer
  std::string_view client_address, server_address;
  std::uint16_t client_port = 0, server_port = 0;
  bool streamed = false;
  Nanos answered{};  // boot clock: the answer's head; zero: none
};

// How a call ended.
struct CallEnd {
  Outcome outcome = Outcome::kOk;
  Nanos duration{};  // on the boot clock
  bool has_code = false;
  std::int64_t code = 0;
  std::uint64_t error_print = 0;  // keyed hash of the error message; 0 = none
  std::uint64_t answer_bytes = 0;
  std::string_view error_type;  // abandoned: client_closed, server_exit, server_closed
  std::string_view unobserved;  // why; only with that outcome
  std::string_view reason;      // of error_type bad_head: what was wrong with it
  bool id_mismatch = false;
  bool status_unset = false;                      // no error for the span, whatever the outcome
  mcp::AuthScheme auth = mcp::AuthScheme::kNone;  // auth_required: of the challenge
  bool declared = false;                          // the tool's name may be written whatever its form
  std::string_view negotiated;                    // initialize: the version in the result
};

class SpanBuilder {
 public:
  // `transport`: network.transport, "pipe" or "tcp".
  SpanBuilder(Naming naming, std::string_view transport)
      : naming_(naming), transport_(transport), common_(naming, transport) {}

  // The span of an ended exchange. `http` may be null, here and below: it was not over HTTP.
  void build_call(const mcp::OpenCall& call, const SessionText& session, const CallEnd& end, SpanRecord& span,
                  const HttpPart* http = nullptr);
  // The same call while it is open, for a call_open record: no end, no outcome.
  void build_open(const mcp::OpenCall& call, const SessionText& session, bool declared, SpanRecord& span,
                  const HttpPart* http = nullptr);
  // A notification: a span that ends where it starts. `call` is filled as for a request.
  void build_notification(const mcp::OpenCall& call, const SessionText& session, SpanRecord& span);

  [[nodiscard]] Naming naming() const { return naming_; }

 private:
  void start(const mcp::OpenCall& call, const SessionText& session, bool declared, const HttpPart* http,
             SpanRecord& span);
  void start_message(const mcp::OpenCall& call, const SessionText& session, bool declared, SpanRecord& span);
  void add_http(const mcp::OpenCall& call, const HttpPart& http, SpanRecord& span);
  void add_links(const mcp::OpenCall& call, const SessionText& session, SpanRecord& span);
  void add_status(const mcp::OpenCall& call, const CallEnd& end, SpanRecord& span);
  void add_events(const mcp::OpenCall& call, const CallEnd& end, SpanRecord& span);

  Naming naming_;
  std::string_view transport_;
  CallAttributes common_;
  std::string id_, status_, code_;
};

// Is this error answer no error for the span? (docs/spans.md; under semconv the conventions' rule.)
bool error_is_unset(const mcp::OpenCall& call, Naming naming, bool has_code, std::int64_t code);

}  // namespace mcptrace::trace
