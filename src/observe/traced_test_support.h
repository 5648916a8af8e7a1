// For unit tests of the tracer's parts: all of them, put together as the tracer does, and what they write, kept.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "observe/calls.h"

namespace mcptrace::observe {

struct KeptRecords final : RecordSink {
  struct Record {
    spool::RecordType type;
    trace::SpanHeader header;
    std::string name, service;
  };
  void resource(std::span<const std::pair<std::string, std::string>> attributes) override {
    service = attributes.front().second;
  }
  void record(spool::RecordType type, const trace::SpanHeader& header, const trace::SpanRecord& span) override {
    records.push_back({type, header, std::string(span.name), service});
  }
  [[nodiscard]] std::size_t count(spool::RecordType type) const {
    return static_cast<std::size_t>(std::ranges::count(records, type, &Record::type));
  }

  std::string service;
  std::vector<Record> records;
};

struct TracedParts {
  explicit TracedParts(TracerOptions given = {}) : options(std::move(given)) {}

  static Instant at(std::int64_t seconds) {
    return {std::chrono::hours(500'000) + std::chrono::seconds(seconds),
            std::chrono::hours(5) + std::chrono::seconds(seconds)};
  }
  static mcp::Fact request(std::uint32_t session, std::uint64_t id, std::int64_t seconds,
                           mcp::Method method = mcp::Method::kToolsCall) {
    mcp::Fact fact;
    fact.at = at(seconds);
    fact.context.session = session;
    fact.context.session_print = session;
    fact.message.kind = mcp::MessageKind::kRequest;
    fact.message.method = method;
    fact.message.id = {mcp::IdType::kInteger, id, id};
    return fact;
  }
  mcp::OpenCall& open(const mcp::Fact& fact) { return calls.open(sessions.open_for(fact), stdio, fact); }

  const TracerOptions options;
  KeptRecords kept;
  Activity activity;
  HttpExchanges exchanges{options.max_exchanges};
  HttpExchange stdio;
  DeclaredTools declared{options};
  Recollection recollection;
  RecordWriter writer{options, exchanges, kept};
  Sessions sessions{options, declared, writer};
  Calls calls{options, sessions, exchanges, declared, recollection, writer, activity};
};

}  // namespace mcptrace::observe
