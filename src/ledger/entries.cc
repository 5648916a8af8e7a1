#include "ledger/entries.h"

#include <algorithm>
#include <bit>

#include "otlp/encode.h"

namespace mcptrace::ledger {

SessionKey starting_key(const SpanId& initialize) {
  return {.print = std::bit_cast<std::uint64_t>(initialize.bytes), .trace_id = {}, .starting = true};
}

SessionKey session_key(const trace::SpanHeader& header) {
  if (header.has(trace::kStarting)) return starting_key(header.span_id);
  if (header.session_print != 0) return {.print = header.session_print, .trace_id = {}};
  return {.print = 0, .trace_id = header.trace_id};
}

Nanos end_of(const trace::SpanHeader& header) { return add(header.start, std::max(header.duration, Nanos(0))); }

void Entries::begin_file(std::uint32_t number, bool held, Nanos modified) {
  number_ = number;
  held_ = held;
  modified_ = modified;
}

std::optional<Entry> Entries::read(const spool::Record& record) {
  if (record.type == spool::RecordType::kResource) {
    read_resource(record.payload);
    return std::nullopt;
  }
  if (record.type == spool::RecordType::kCounters) {
    read_counters(record.payload);
    return std::nullopt;
  }
  if (record.type == spool::RecordType::kDestination) return std::nullopt;
  Entry entry{.type = record.type, .file = number_, .held = held_, .modified = modified_};
  if (!otlp::split_record(record.payload, entry.header, entry.bytes)) {
    ++unsupported_;
    return std::nullopt;
  }
  entry.session = session_key(entry.header);
  const Places& places = files_[number_];
  if (const auto place = places.find(entry.header.resource); place != places.end()) entry.resource = place->second;
  return entry;
}

void Entries::read_resource(std::string_view payload) {
  std::uint32_t number = 0;
  std::string_view bytes;
  if (!otlp::split_resource_record(payload, number, bytes)) {
    ++unsupported_;
  } else if (auto resource = otlp::decode_resource(bytes)) {
    auto [place, fresh] = files_[number_].try_emplace(number, static_cast<std::uint32_t>(resources_.size()));
    if (fresh && !free_.empty()) {
      place->second = free_.back();
      free_.pop_back();
    }
    if (place->second == resources_.size()) resources_.emplace_back(), bytes_.emplace_back();
    resources_[place->second] = *std::move(resource);
    bytes_[place->second] = bytes;
  }
}

// A file is one process's.
void Entries::read_counters(std::string_view payload) {
  auto counters = spool::decode_counters(payload);
  if (!counters) {
    ++unsupported_;
    return;
  }
  spool::ProcessCounters& known = counters_[number_];
  known.process = std::move(counters->process);
  spool::take_later(known.counts, counters->counts);
}

std::map<std::string, spool::NamedCounts> Entries::processes() const {
  std::map<std::string, spool::NamedCounts> processes;
  for (const auto& [file, counters] : counters_) spool::take_later(processes[counters.process], counters.counts);
  return processes;
}

spool::NamedCounts Entries::counters() const {
  spool::NamedCounts sum;
  for (const auto& [process, counts] : processes()) spool::add_up(sum, counts);
  return sum;
}

void Entries::forget_file(std::uint32_t number) {
  counters_.erase(number);
  const auto file = files_.extract(number);
  if (file.empty()) return;
  for (const auto& [resource, place] : file.mapped()) free_.push_back(place);
}

const otlp::Resource* Entries::resource_of(const Entry& entry) const {
  return entry.resource == kNoResource ? nullptr : &resources_[entry.resource];
}

std::string_view Entries::resource_bytes(const Entry& entry) const {
  return entry.resource == kNoResource ? std::string_view() : bytes_[entry.resource];
}

}  // namespace mcptrace::ledger
