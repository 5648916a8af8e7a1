// From records to entries: each is decoded here and nowhere else, with the resources that its file numbers, and with
// what the processes say of themselves. Pure; one thread.
//
//   Entries entries;
//   entries.begin_file(7, held, modified);
//   while (auto record = reader.next()) if (auto entry = entries.read(*record)) …
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ledger/entry.h"
#include "otlp/decode.h"
#include "spool/counters.h"

namespace mcptrace::ledger {

class Entries {
 public:
  // Records of another file follow, or further ones of a file that was begun before. `number` is the caller's name for
  // the file.
  void begin_file(std::uint32_t number, bool held, Nanos modified);
  // Nothing: a resource or counters, which are kept, a destination, or what this version does not understand.
  std::optional<Entry> read(const spool::Record& record);

  // What the file says of resources and counters is not known any more; the places of its resources are given to
  // others.
  void forget_file(std::uint32_t number);

  [[nodiscard]] const std::vector<otlp::Resource>& resources() const { return resources_; }
  // Null: not known.
  [[nodiscard]] const otlp::Resource* resource_of(const Entry& entry) const;
  // The same as an OTLP Resource's bytes; empty: not known.
  [[nodiscard]] std::string_view resource_bytes(const Entry& entry) const;
  // The last counters of each process, by its service.instance.id; and all of them together.
  [[nodiscard]] std::map<std::string, spool::NamedCounts> processes() const;
  [[nodiscard]] spool::NamedCounts counters() const;
  // Records of a newer layout.
  [[nodiscard]] std::uint64_t unsupported() const { return unsupported_; }

 private:
  using Places = std::unordered_map<std::uint32_t, std::uint32_t>;  // of resources, by their numbers in one file

  void read_resource(std::string_view payload);
  void read_counters(std::string_view payload);

  std::vector<otlp::Resource> resources_;
  std::vector<std::string> bytes_;   // of each of them
  std::vector<std::uint32_t> free_;  // places in it
  std::map<std::uint32_t, Places> files_;
  std::map<std::uint32_t, spool::ProcessCounters> counters_;  // by file
  std::uint32_t number_ = 0;
  bool held_ = false;
  Nanos modified_{};
  std::uint64_t unsupported_ = 0;
};

}  // namespace mcptrace::ledger
