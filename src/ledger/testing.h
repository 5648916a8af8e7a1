// What tests share: records kept in memory as one file, and how to run them through the ledger.
#pragma once

#include <string>
#include <vector>

#include "ledger/ledger.h"
#include "ledger/testing_sample.h"

namespace mcptrace::ledger {

struct MemoryFile {
  struct Kept {
    spool::RecordType type;
    std::uint32_t tag;
    std::string payload;

    [[nodiscard]] spool::Record record() const { return {type, tag, payload}; }
  };
  std::vector<Kept> records;
  bool held = false;
  Nanos modified{};

  Sample::Sink sink() {
    return [this](spool::RecordType type, std::uint32_t tag, std::string_view payload) {
      records.push_back({type, tag, std::string(payload)});
    };
  }
};

// As query does it: frames first, then counts where they are wanting.
inline Ledger ledger_of(const std::vector<MemoryFile>& files, Nanos now = {}) {
  Ledger ledger;
  const auto each = [&](auto&& use) {
    for (std::uint32_t i = 0; i < files.size(); ++i) {
      ledger.begin_file(i, files[i].held, files[i].modified);
      for (const auto& kept : files[i].records) {
        if (const auto entry = ledger.read(kept.record())) use(*entry);
      }
    }
  };
  each([&](const Entry& entry) {
    if (entry.type != spool::RecordType::kSpan) ledger.add(entry);
  });
  ledger.settle(now);
  std::vector<SessionKey> wanting;
  for (const auto& [key, session] : ledger.sessions()) {
    if (needs_count(session)) wanting.push_back(key);
  }
  ledger.begin_counting(wanting);
  each([&](const Entry& entry) { ledger.count(entry); });
  ledger.end_counting(true);
  ledger.settle(now);
  return ledger;
}

}  // namespace mcptrace::ledger
