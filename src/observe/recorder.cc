#include "observe/recorder.h"

#include <algorithm>

#include "otlp/record_tag.h"

namespace mcptrace::observe {

Recorder::Recorder(spool::WriterOptions options, trace::Naming naming, std::string process, const Clock& clock,
                   Log& log)
    : encoder_(naming),
      log_(log),
      most_open_bytes_(options.file_bytes / 4),
      process_(std::move(process)),
      writer_(std::move(options), clock) {
  writer_.set_preamble([this](spool::Writer&) { write_preamble(); });
}

void Recorder::say(const Error& error) {
  failing_ = true;
  log_.once(LogReason::kSpoolWrite, "telemetry is being lost, traffic is not affected: " + error.message);
}

void Recorder::append(spool::RecordType type, std::string_view payload) {
  if (const auto done = writer_.append(type, 0, payload); !done) say(done.error());
}

void Recorder::append_resource(std::uint32_t number) {
  std::string payload;
  otlp::append_resource_record(number, resources_[number - 1], payload);
  append(spool::RecordType::kResource, payload);
}

void Recorder::resource(std::span<const std::pair<std::string, std::string>> attributes) {
  std::vector<std::pair<std::string_view, std::string_view>> views(attributes.begin(), attributes.end());
  std::string bytes;
  otlp::encode_resource(views, bytes);
  const auto known = std::ranges::find(resources_, bytes);
  resource_number_ = static_cast<std::uint32_t>(known - resources_.begin()) + 1;
  if (known != resources_.end()) return;  // a proxy goes back and forth between its routes'
  resources_.push_back(std::move(bytes));
  append_resource(resource_number_);
}

void Recorder::record(spool::RecordType type, const trace::SpanHeader& header, const trace::SpanRecord& span) {
  trace::SpanHeader numbered = header;
  numbered.resource = resource_number_;
  const bool bounded = in_preamble_ && type == spool::RecordType::kCallOpen;
  const auto done = writer_.append(type, otlp::spool_tag(header.trace_id), encoder_.room(span), [&](char* to) -> char* {
    char* const end = encoder_.write(numbered, span, to);
    if (!bounded) return end;
    const auto size = static_cast<std::size_t>(end - to);
    if (open_bytes_ + size > most_open_bytes_) {
      ++left_out_;
      return nullptr;
    }
    open_bytes_ += size;
    return end;
  });
  if (!done) say(done.error());
}

void Recorder::write_preamble() {
  if (!destination_.empty()) {
    leave_destination_();
    append(spool::RecordType::kDestination, destination_);  // first: whoever ships others' passes the file by
  }
  if (!counters_.empty()) append(spool::RecordType::kCounters, counters_);
  if (resources_.empty()) return;
  for (std::uint32_t number = 1; number <= resources_.size(); ++number) append_resource(number);
  in_preamble_ = true;
  open_bytes_ = 0;
  if (tracer_ != nullptr) tracer_->write_open();
  in_preamble_ = false;
}

void Recorder::count(const spool::NamedCounts& others) {
  if (!failing_) append_counters(others);
}

void Recorder::count_all(const spool::NamedCounts& others) {
  spool::NamedCounts counts = others;
  counts.emplace(spool::kWrittenRecords, writer_.counts().records);
  counts.emplace(spool::kWrittenBytes, writer_.counts().bytes);
  append_counters(std::move(counts));
}

void Recorder::append_counters(spool::NamedCounts counts) {
  const spool::WriterCounts& written = writer_.counts();
  counts.emplace(spool::kLostUnwritten, written.lost_records);
  counts.emplace(spool::kLostOpenCalls, left_out_);
  counts.emplace(spool::kExpiredFiles, written.expired_files);
  if (std::ranges::all_of(counts, [](const auto& count) { return count.second == 0; })) return;
  std::string payload = spool::encode_counters({process_, std::move(counts)});
  if (payload == counters_) return;
  counters_ = std::move(payload);
  append(spool::RecordType::kCounters, counters_);
}

void Recorder::flush() {
  failing_ = false;
  if (const auto done = writer_.flush(); !done) say(done.error());
}

void Recorder::finish() {
  if (const auto done = writer_.finish(); !done) say(done.error());
}

}  // namespace mcptrace::observe
