// Sessions as a wrapper writes them, made up: for tests of this folder and for bench/query_fill. Not part of any
// program.
//
//   Sample sample(sink, {.service = "everything"});
//   sample.open();
//   sample.call("echo", 10ms, 1ms);
//   sample.close(20ms);
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/testing.h"
#include "spool/record.h"
#include "trace/span_record.h"

namespace mcptrace::ledger {

struct SampleOptions {
  std::uint64_t seed = 1;  // ids; also the session's print unless that is given
  std::uint64_t print = 0;
  Nanos start = std::chrono::seconds(1'700'000'000);
  std::string service = "everything";
  std::string instance = "i-1";
  std::string client_name = "claude-code";
  std::string client_version = "2.1.0";
  std::string server_name = "mcp-servers/everything";
  std::string server_version = "1.0.0";
  std::string protocol_version = "2025-11-25";
  std::string client_process = "c0ffee0000000001";
  std::string command = "c0ffee0000000002";
  std::string error_type;    // of the root; empty: it is no error
  trace::SpanLink previous;  // the stretch before, if its span id is not zero
  std::uint16_t flags = 0;   // HeaderFlag, of every record
  bool close_tells = false;  // session_close repeats the root
  bool whole_calls = false;  // they have every attribute that a wrapper writes over stdio, not only what tests ask for
};

struct SampleCall {
  mcp::Method method = mcp::Method::kToolsCall;
  std::string tool;
  Nanos at{};        // after the session's start
  Nanos duration{};  // of an open one: so far
  trace::Outcome outcome = trace::Outcome::kOk;
  std::int64_t code = 0;    // of an rpc_error
  std::int64_t status = 0;  // of HTTP
  std::string auth_scheme;  // of a challenge
  std::vector<mcp::Finding> findings;
  TraceId trace_id;         // zero: the session's
  SpanId span_id;           // zero: random
  SpanId parent_id;         // zero: the root
  std::uint16_t flags = 0;  // kStarting: it has no session
  bool open = false;        // a call_open record
};

class Sample {
 public:
  using Sink = std::function<void(spool::RecordType type, std::uint32_t tag, std::string_view payload)>;
  explicit Sample(Sink sink, SampleOptions options = {});

  void resource();
  void open();  // resource, session_open
  SpanId call(const SampleCall& call);
  SpanId call(std::string_view tool, Nanos at, Nanos duration, trace::Outcome outcome = trace::Outcome::kOk);
  void initialize(Nanos at, Nanos duration);
  void close(Nanos at);  // root, session_close
  void root(Nanos at);   // the root alone
  // A log record of a call: its bytes are of no format.
  void log(const SpanId& call, Nanos at, std::uint16_t flags = 0);

  [[nodiscard]] TraceId trace_id() const { return trace_id_; }
  [[nodiscard]] SpanId root_id() const { return root_id_; }
  [[nodiscard]] std::uint64_t print() const { return options_.print; }
  [[nodiscard]] std::string id() const;
  SampleOptions& options() { return options_; }
  // Further numbers of the root.
  std::vector<std::pair<trace::Attr, std::int64_t>> extra;

 private:
  void fill_root(Nanos at, bool ended);
  void add_the_rest(const SampleCall& call, std::string_view session);
  void emit(spool::RecordType type, std::uint16_t flags, trace::Operation operation);

  Sink sink_;
  SampleOptions options_;
  SeededRandom random_;
  TraceId trace_id_;
  SpanId root_id_;
  trace::SpanRecord span_;
  std::string payload_, name_, request_id_;
  std::array<std::int64_t, static_cast<std::size_t>(trace::Outcome::kCount)> outcomes_{};
  std::int64_t calls_ = 0, requests_ = 0, notifications_ = 0, errors_ = 0;
};

}  // namespace mcptrace::ledger
