// The one table of what can be configured: keys of the file, flags of `run` and `proxy`, environment variables. The
// file's checks, --help of both commands and docs/configuration.md are made of it. Pure data.
//
// A key with a dot lies in a map; "[]" stands for each element of a list, "*" for any name: "destinations[].headers.*".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mcptrace::config {

enum class Type : std::uint8_t {
  kText,
  kName,          // letters, digits, - and _
  kPath,          // an absolute one
  kChoice,        // one of `choices`
  kSize,          // 64MiB
  kDuration,      // 1h30m
  kRatio,         // from 0 to 1
  kCount,         // a whole number
  kBoolean,       // true, false
  kReference,     // env:NAME, file:PATH
  kUrl,           // http://… or https://…
  kEndpoint,      // the same, or HOST:PORT
  kProxyAddress,  // the same without a user, or none
  kAddress,       // ADDRESS:PORT
  kMoney,         // 0.005 USD
  kHeader,        // a literal, or a reference; never a literal where a credential is wanted
};

// Which commands take it as a flag, and, where it has a key, from the file.
inline constexpr std::uint8_t kNobody = 0, kRun = 1, kProxy = 2, kTracers = kRun | kProxy, kAll = 4 | kTracers;

struct Option {
  std::string_view key{};       // of the file; empty: none
  std::string_view flag{};      // as --help shows it: "--name NAME"; empty: none
  std::string_view variable{};  // empty: none
  Type type = Type::kText;
  std::string_view help{};      // a clause
  std::string_view fallback{};  // the default, as people read it; empty: nothing
  std::string_view choices{};   // of kChoice: by spaces
  std::string_view later{};     // the part that it waits for; empty: it has its effect
  std::uint8_t commands = kNobody;
  std::uint64_t least = 0;  // of sizes, counts and durations (nanoseconds)
  bool required = false;    // in each element of its list
};

std::span<const Option> options();

// The row of a key; null: there is none.
const Option* find_option(std::string_view key);

// "guide, semconv or both"; "a size, like 64MiB".
std::string wanted(const Option& option);

}  // namespace mcptrace::config
