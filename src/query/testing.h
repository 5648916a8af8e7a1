// What the tests of this folder share: records kept in memory as one file, and how to run them through the model.
#pragma once

#include <string>
#include <vector>

#include "query/catalog.h"
#include "query/sample.h"
#include "query/span_set.h"
#include "query/waterfall.h"

namespace mcptrace::query {

struct MemoryFile {
  struct Entry {
    spool::RecordType type;
    std::uint32_t tag;
    std::string payload;
  };
  std::vector<Entry> entries;
  bool locked = false;
  Nanos modified{};

  Sample::Sink sink() {
    return [this](spool::RecordType type, std::uint32_t tag, std::string_view payload) {
      entries.push_back({type, tag, std::string(payload)});
    };
  }
};

inline spool::Record record_of(const MemoryFile::Entry& entry) { return {entry.type, entry.tag, entry.payload}; }

// As load.cc does it: frames first, then counts where they are wanting.
inline Catalog catalog_of(const std::vector<MemoryFile>& files) {
  Catalog catalog;
  for (std::uint32_t i = 0; i < files.size(); ++i) {
    catalog.begin_file(i, files[i].locked, files[i].modified);
    for (const auto& entry : files[i].entries) {
      if (entry.type != spool::RecordType::kSpan) catalog.add(record_of(entry));
    }
  }
  catalog.settle();
  std::vector<SessionKey> wanting;
  for (const auto& [key, session] : catalog.sessions()) {
    if (needs_count(session)) wanting.push_back(key);
  }
  catalog.begin_counting(wanting);
  for (std::uint32_t i = 0; i < files.size(); ++i) {
    catalog.begin_file(i, files[i].locked, files[i].modified);
    for (const auto& entry : files[i].entries) catalog.count(record_of(entry));
  }
  catalog.end_counting(true);
  catalog.settle();
  return catalog;
}

inline TraceView view_of(const std::vector<MemoryFile>& files, const Session& session, Nanos now,
                         std::size_t limit = 500'000) {
  SpanSelection selection;
  selection.session_print = session.key.print;
  selection.limit = limit;
  SpanSet spans(std::move(selection));
  for (std::uint32_t i = 0; i < files.size(); ++i) {
    spans.begin_file(i, files[i].locked);
    for (const auto& entry : files[i].entries) spans.add(record_of(entry));
  }
  return std::move(spans).finish(session, now);
}

inline TextOptions plain_text(Nanos now, std::size_t width = 100) {
  TextOptions options;
  options.width = width;
  options.now = now;
  options.offset = [](Nanos) { return std::chrono::seconds(0); };
  return options;
}

}  // namespace mcptrace::query
