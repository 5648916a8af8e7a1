// What the tests and the fuzz target hold the scanner against: a model that reads the whole input a byte at a time, and
// simdjson. Not part of the product.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "json/scanner.h"

namespace mcptrace::json {

// One call of a Handler. The pieces of one value's text are one event.
struct Event {
  enum class Type : std::uint8_t { kValue, kText, kEnd };
  Type type = Type::kValue;
  Kind kind = Kind::kOther;
  std::uint64_t offset = 0;
  bool keyed = false;
  bool escaped = false;
  bool cut = false;
  std::string text{};  // the key, or the text
  bool operator==(const Event&) const = default;
};

struct Report {
  std::vector<Event> events;
  Shape shape = Shape::kBlank;
  bool operator==(const Report&) const = default;
};
// One line an event, for messages.
std::string to_string(const Report& report);

// What a handler answers; depends on nothing but its arguments.
enum class Policy : std::uint8_t {
  kEverything,  // enter all, all text
  kMessage,     // what a JSON-RPC message's reader does: some members by name
  kMixed,       // by a hash of the offset
};
Step decide(Policy policy, const Key& key, Kind kind, std::uint64_t offset);

// `next_size` says how long the next piece is; 0 counts as an empty piece.
Report scan_report(const Kernel& kernel, std::string_view input, Policy policy,
                   const std::function<std::size_t()>& next_size);
Report model_report(std::string_view input, Policy policy);

// Empty if simdjson refuses the input, or if what it found is what the scanner reports. Otherwise what differs.
std::string difference_from_simdjson(std::string_view input);
bool simdjson_accepts(std::string_view input);

}  // namespace mcptrace::json
