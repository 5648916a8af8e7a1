#include "observe/recorder.h"

#include <algorithm>

#include "otlp/record_tag.h"

namespace mcptrace::observe {

Recorder::Recorder(spool::WriterOptions options, trace::Naming naming, const Clock& clock, Log& log)
    : encoder_(naming), log_(log), most_open_bytes_(options.file_bytes / 4), writer_(std::move(options), clock) {
  writer_.set_preamble([this](spool::Writer&) { write_preamble(); });
}

void Recorder::say(const Error& error) {
  log_.once(LogReason::kSpoolWrite, "telemetry is being lost, traffic is not affected: " + error.message);
}

void Recorder::append_resource(std::uint32_t number) {
  std::string payload;
  otlp::append_resource_record(number, resources_[number - 1], payload);
  if (const auto done = writer_.append(spool::RecordType::kResource, 0, payload); !done) say(done.error());
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
  if (resources_.empty()) return;
  for (std::uint32_t number = 1; number <= resources_.size(); ++number) append_resource(number);
  in_preamble_ = true;
  open_bytes_ = 0;
  if (tracer_ != nullptr) tracer_->write_open();
  in_preamble_ = false;
}

void Recorder::flush() {
  if (const auto done = writer_.flush(); !done) say(done.error());
}

void Recorder::finish() {
  if (const auto done = writer_.finish(); !done) say(done.error());
}

}  // namespace mcptrace::observe
