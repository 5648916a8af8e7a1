// The options of one subcommand: declared, then parsed from its arguments. CLI11's only includer; its exceptions stop
// here.
//
//   CommandLine line("sessions");
//   line.flag("--all", all);
//   line.value("--limit", limit);
//   line.positional("ID", id);
//   MCPTRACE_TRY_VOID(line.parse(arguments));      // the arguments after the subcommand's name
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mcptrace::app {

class CommandLine {
 public:
  explicit CommandLine(std::string_view command);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // `name` with its dashes, several by commas ("-f,--follow"). What it is bound to must outlive parse().
  void flag(std::string_view name, bool& target);
  void value(std::string_view name, std::string& target);
  // May be given several times: each adds one.
  void values(std::string_view name, std::vector<std::string>& target);
  // An argument without a name; it may be absent. At most one.
  void positional(std::string_view name, std::string& target);

  // Errors are one clause that ends in where help is: "unknown option '--foo' of sessions (see mcptrace sessions
  // --help)".
  Result<> parse(std::span<const std::string> arguments);
  // How many arguments at the front are options and their values: what follows is "--", or the first that is neither.
  [[nodiscard]] std::size_t count_options(std::span<const std::string> arguments) const;
  [[nodiscard]] bool help_wanted() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// "30s", "5m", "2h", "7d", "2w" in `option`'s value; at least 1 s.
Result<std::chrono::seconds> parse_age(std::string_view option, std::string_view text);

// "512KiB", "64MiB", "1GiB", or a number of bytes in `option`'s value; below 1 TiB.
Result<std::size_t> parse_size(std::string_view option, std::string_view text);

}  // namespace mcptrace::app
