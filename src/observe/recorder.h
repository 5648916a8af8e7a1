// Writes what the tracer gives into the spool: encodes each span once, and numbers the resources. Observer thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "observe/tracer.h"
#include "otlp/encode.h"
#include "spool/writer.h"

namespace mcptrace::observe {

class Recorder final : public RecordSink {
 public:
  // References must outlive this. What goes wrong is said once and counted by the writer.
  Recorder(spool::WriterOptions options, trace::Naming naming, const Clock& clock, Log& log);

  // Whose open records a new file begins with. Set before the first record; null: nobody's any more.
  void set_tracer(Tracer* tracer) { tracer_ = tracer; }

  void resource(std::span<const std::pair<std::string, std::string>> attributes) override;
  void record(spool::RecordType type, const trace::SpanHeader& header, const trace::SpanRecord& span) override;

  void flush();
  // For the last time.
  void finish();
  [[nodiscard]] std::size_t pending_bytes() const { return writer_.pending_bytes(); }
  [[nodiscard]] Losses lost() const {
    const spool::WriterCounts& counts = writer_.counts();
    return {.messages = counts.lost_records + left_out_, .files = counts.expired_files};
  }

 private:
  void append_resource(std::uint32_t number);
  void write_preamble();
  void say(const Error& error);

  otlp::RecordEncoder encoder_;
  Log& log_;
  // Of open calls at a file's head: what is open for long must not fill one file after the other.
  std::size_t most_open_bytes_;
  Tracer* tracer_ = nullptr;
  std::vector<std::string> resources_;  // encoded; their numbers are their places, from 1
  std::uint32_t resource_number_ = 0;   // of what is recorded now
  std::size_t open_bytes_ = 0;          // of open calls in the present preamble
  bool in_preamble_ = false;
  std::uint64_t left_out_ = 0;
  spool::Writer writer_;  // goes first, as it may write a last file, with all of the above at its beginning
};

}  // namespace mcptrace::observe
