// The configuration, read: flags before the environment before the file before defaults (docs/configuration.md, made
// of the table in options.cc). A plain struct of checked values; references are checked for form and resolved by who
// uses them (reference.h). `run` and `proxy` do not read it: what they need is in the flat copy (flat.h).
//
//   const config::FoundFile file = config::find_file({.environment = world.environment, .home = world.home});
//   MCPTRACE_TRY(const Config config, config::load(world.environment, file.path));     // an empty path: no file
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/destination.h"
#include "config/lookup.h"
#include "config/setting.h"

namespace mcptrace::config {

struct SpoolSettings {
  std::size_t size = 512u << 20;
  std::string fsync = "interval";  // or "always"
};

// First match replaces `ratio`, `threshold` and `first_calls`. Empty patterns match all; `*` stands for any text.
struct SamplingRule {
  std::string server, tool, client;
  std::optional<double> ratio;
  std::optional<std::uint64_t> threshold, first_calls;
};

struct SamplingSettings {
  double ratio = 1;
  std::uint64_t threshold = 1000;         // sessions an hour of a server
  std::uint64_t threshold_calls = 20000;  // calls an hour
  double notifications = 0.01;
  std::uint64_t first_calls = 1000;
  Nanos slow = std::chrono::seconds(5);
  std::vector<SamplingRule> rules;
};

struct LogSettings {
  std::string file;  // empty: none
  std::size_t size = 100u << 20;
};

struct Config {
  std::string file;  // where it was read; empty: from no file
  std::string home;  // empty: not said
  std::string name;  // empty: not said
  std::string naming = "both";
  std::string inject = "auto";
  bool shapes = true;
  SpoolSettings spool;
  SamplingSettings sampling;
  std::vector<Destination> destinations;  // of the file; that of the environment: otel.h
  std::string metrics_listen;             // ADDRESS:PORT; empty: nobody listens
  LogSettings log;
  std::vector<std::string> synthetic_secrets;  // references
  // Everything that was said, and where: also of parts that have no member here.
  std::vector<Setting> settings;
  // Names of the variables that it refers to by env:NAME, sorted, each once.
  std::vector<std::string> variables;
  // Of the environment: what was ignored and why, a sentence each.
  std::vector<std::string> warnings;
};

// What a command line said: a key of the table, and its value.
using Given = std::pair<std::string_view, std::string>;

// `path` empty: no file. Error: the first thing that is wrong, with file, line and column, and how many more there are.
Result<Config> load(const Lookup& environment, const std::string& path, std::span<const Given> flags = {});

// The same with everything that is wrong, in the order of the file. `config` holds what could be used.
struct Checked {
  Config config;
  std::vector<std::string> problems;
};
Checked check(const Lookup& environment, const std::string& path, std::span<const Given> flags = {});

}  // namespace mcptrace::config
