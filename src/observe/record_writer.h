// The tracer's records: the one place that makes them, each behind its header and after the resource that it belongs
// to. Knows spans and headers; when something is written, others say. Observer thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "observe/http_exchanges.h"
#include "observe/recollection.h"
#include "observe/session.h"
#include "observe/tracer_options.h"
#include "spool/record.h"
#include "trace/span_builder.h"

namespace mcptrace::observe {

// Takes what is to be written. Called on the observer's thread; the arguments are valid during the call.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  // The resource that the following records belong to.
  virtual void resource(std::span<const std::pair<std::string, std::string>> attributes) = 0;
  virtual void record(spool::RecordType type, const trace::SpanHeader& header, const trace::SpanRecord& span) = 0;
};

class RecordWriter {
 public:
  // References must outlive this.
  RecordWriter(const TracerOptions& options, const HttpExchanges& exchanges, RecordSink& sink);

  // W3C flags of what starts at a root.
  [[nodiscard]] std::uint8_t root_flags() const { return style_.flags; }

  // The root as it is now.
  void root(Session& session, spool::RecordType type);
  // True if the span is one of an error.
  bool call(const mcp::OpenCall& call, const Session& session, const trace::CallEnd& end);
  // A call that is open, and has been for so long: where its process dies, it ends there at the earliest.
  void call_open(const mcp::OpenCall& call, const Session& session, bool declared, Nanos lasted);
  void notification(const mcp::OpenCall& call, const Session& session);
  void late_answer(const EndedCall& ended, const Session& session, SpanId span_id, Nanos wall, trace::Outcome outcome);

 private:
  void emit(spool::RecordType type, const Session& session, const mcp::OpenCall* call, unsigned header_flags);
  void use_route(std::uint16_t route);
  const trace::HttpPart* http_part(const mcp::OpenCall& call);
  void drop_missing_root(const mcp::OpenCall& call);

  const TracerOptions& options_;
  const HttpExchanges& exchanges_;
  RecordSink& sink_;
  trace::SpanBuilder builder_;
  trace::SpanRecord span_;
  trace::HttpPart http_part_;
  RootStyle style_;
  std::uint32_t route_ = 0xffffffff;  // whose resource was given last
};

}  // namespace mcptrace::observe
