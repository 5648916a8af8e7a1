// What the tests of this folder share.
#pragma once

#include <vector>

#include "ledger/testing.h"
#include "query/span_set.h"
#include "query/waterfall.h"

namespace mcptrace::query {

using ledger::ledger_of;
using ledger::MemoryFile;
using ledger::Sample;
using ledger::SampleCall;
using ledger::SampleOptions;

inline TraceView view_of(const std::vector<MemoryFile>& files, SpanSelection selection, std::optional<Session> session,
                         Nanos now) {
  SpanSet spans(std::move(selection));
  ledger::Entries entries;
  for (std::uint32_t i = 0; i < files.size(); ++i) {
    entries.begin_file(i, files[i].held, files[i].modified);
    for (const auto& kept : files[i].records) {
      if (const auto entry = entries.read(kept.record())) spans.add(*entry);
    }
  }
  return std::move(spans).finish(std::move(session), entries.resources(), now);
}

inline TraceView view_of(const std::vector<MemoryFile>& files, const Session& session, Nanos now,
                         std::size_t limit = 500'000) {
  return view_of(files, {.session = session.key, .traces = {}, .limit = limit}, session, now);
}

inline TextOptions plain_text(Nanos now, std::size_t width = 100) {
  TextOptions options;
  options.width = width;
  options.now = now;
  options.offset = [](Nanos) { return std::chrono::seconds(0); };
  return options;
}

}  // namespace mcptrace::query
