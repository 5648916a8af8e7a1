// Writes what the tracer gives into the spool: encodes each span once, and numbers the resources. Observer thread.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "observe/tracer.h"
#include "otlp/encode.h"
#include "spool/counters.h"
#include "spool/writer.h"

namespace mcptrace::observe {

class Recorder final : public RecordSink {
 public:
  // References must outlive this. What goes wrong is said once and counted by the writer. `process`: its
  // service.instance.id.
  Recorder(spool::WriterOptions options, trace::Naming naming, std::string process, const Clock& clock, Log& log);

  // Whose open records a new file begins with. Set before the first record; null: nobody's any more.
  void set_tracer(Tracer* tracer) { tracer_ = tracer; }

  void resource(std::span<const std::pair<std::string, std::string>> attributes) override;
  void record(spool::RecordType type, const trace::SpanHeader& header, const trace::SpanRecord& span) override;

  // What the process's environment named, which stands at the head of each file; `leave` is called before one is
  // started. Set before the first record.
  void set_destination(std::string name, std::function<void()> leave) {
    destination_ = std::move(name);
    leave_destination_ = std::move(leave);
  }

  // What was lost on the way here and is not the recorder's own; with that it is written, if it is more than was
  // written before. Not while nothing can be written.
  void count(const spool::NamedCounts& others);
  // For the last time: in any case, and with how much was written.
  void count_all(const spool::NamedCounts& others);

  void flush();
  // For the last time.
  void finish();
  [[nodiscard]] const std::string& first_file() const { return writer_.first_file(); }
  [[nodiscard]] std::size_t pending_bytes() const { return writer_.pending_bytes(); }
  [[nodiscard]] Losses lost() const {
    const spool::WriterCounts& counts = writer_.counts();
    return {.messages = counts.lost_records + left_out_, .files = counts.expired_files};
  }

 private:
  void append_resource(std::uint32_t number);
  void append(spool::RecordType type, std::string_view payload);
  void append_counters(spool::NamedCounts counts);
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
  std::string process_;
  std::string destination_;  // empty: none
  std::function<void()> leave_destination_;
  std::string counters_;  // as they were written last; empty: never
  bool failing_ = false;  // what was to be written last was not
  spool::Writer writer_;  // goes first, as it may write a last file, with all of the above at its beginning
};

}  // namespace mcptrace::observe
