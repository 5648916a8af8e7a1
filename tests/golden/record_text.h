// Records as text, for golden cases: ids by the order in which they appear, times from the transcript's start.
#pragma once

#include <map>
#include <string>

#include "observe/tracer.h"

namespace mcptrace::golden {

class TextSink final : public observe::RecordSink {
 public:
  explicit TextSink(Nanos start_wall, trace::Naming naming) : start_(start_wall), naming_(naming) {}

  void resource(std::span<const std::pair<std::string, std::string>> attributes) override;
  void record(spool::RecordType type, const trace::SpanHeader& header, const trace::SpanRecord& span) override;

  std::string text;

 private:
  std::string trace_name(const TraceId& id);
  std::string span_name(const SpanId& id);
  std::string time(Nanos wall) const;
  std::string attributes(const std::vector<trace::Attribute>& list) const;

  Nanos start_;
  trace::Naming naming_;
  std::map<TraceId, std::string> traces_;
  std::map<SpanId, std::string> spans_;
};

}  // namespace mcptrace::golden
