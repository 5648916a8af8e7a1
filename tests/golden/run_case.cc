// Plays a transcript: the same framing, placement and tracer as the product, with time, randomness and files taken out.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "golden/case_file.h"
#include "golden/pipeline.h"
#include "golden/record_text.h"

namespace mcptrace::golden {
namespace {

// What other processes of the installation saw declared; and of this one, how it was defined.
class Elsewhere final : public observe::DeclaredNames {
 public:
  bool contains(std::string_view server, std::uint64_t name) override {
    return std::ranges::find(known, std::pair(std::string(server), name)) != known.end();
  }
  std::size_t add(std::string_view, std::span<const mcp::DeclaredTool> tools) override {
    std::size_t changed = 0;
    for (const auto& [name, definition] : tools) {
      std::set<std::uint64_t>& known_definitions = definitions[name];
      if (known_definitions.insert(definition.low).second && known_definitions.size() > 1) ++changed;
    }
    return changed;
  }

  std::vector<std::pair<std::string, std::uint64_t>> known;
  std::map<std::uint64_t, std::set<std::uint64_t>> definitions;
};

struct Settings {
  observe::PlacementOptions placement;
  observe::TracerOptions tracer;
  std::vector<std::pair<std::string, std::string>> declared;  // of which server, which name
};

Result<Settings> read_settings(const std::vector<std::string>& options) {
  Settings settings;
  settings.placement.name = "golden";
  settings.tracer.stdio.service_name = "golden";
  settings.tracer.instance_id = "i";
  for (const std::string& option : options) {
    if (option == "naming=guide") {
      settings.tracer.naming = trace::Naming::kGuide;
    } else if (option == "naming=semconv") {
      settings.tracer.naming = trace::Naming::kSemconv;
    } else if (option == "no-inject") {
      settings.placement.inject = false;
    } else if (option.starts_with("traceparent=")) {
      settings.tracer.environment = settings.placement.environment = trace::parse_traceparent(option.substr(12));
    } else if (option.starts_with("stretch-calls=")) {
      settings.placement.stretch_calls = static_cast<std::uint32_t>(std::stoi(option.substr(14)));
    } else if (option.starts_with("max-open=")) {
      settings.tracer.max_open = static_cast<std::size_t>(std::stoi(option.substr(9)));
    } else if (option.starts_with("max-sessions=")) {
      settings.tracer.max_sessions = static_cast<std::size_t>(std::stoi(option.substr(13)));
    } else if (option.starts_with("declared-elsewhere=")) {
      const auto colon = option.find(':');
      settings.declared.emplace_back(option.substr(19, colon - 19), option.substr(colon + 1));
    } else if (option.starts_with("command=")) {
      settings.tracer.command_print = option.substr(8);
      settings.tracer.stdio.server = "command " + option.substr(8);
    } else {
      return std::unexpected(Error{Errc::kInvalidArgument, "unknown option '" + option + "'"});
    }
  }
  return settings;
}

class Player {
 public:
  explicit Player(Settings settings)
      : elsewhere_(names_of(settings.declared)),
        sink_(Pipeline::start().wall, settings.tracer.naming),
        pipeline_(std::move(settings.placement), with(std::move(settings.tracer), elsewhere_), sink_) {}

  Result<> play(const std::string& line);
  std::string records() { return sink_.text; }
  std::string forwarded;

 private:
  static Elsewhere names_of(const std::vector<std::pair<std::string, std::string>>& declared);
  static observe::TracerOptions with(observe::TracerOptions options, Elsewhere& elsewhere) {
    options.declared = &elsewhere;
    return options;
  }
  Result<> end(std::istringstream& words);
  Result<> pass(const std::string& verb, std::string bytes);

  Elsewhere elsewhere_;
  TextSink sink_;
  Pipeline pipeline_;
};

Elsewhere Player::names_of(const std::vector<std::pair<std::string, std::string>>& declared) {
  Elsewhere elsewhere;
  for (const auto& [server, name] : declared) {
    KeyedHash hash(Pipeline::key(), "tool-name");
    hash.update(name);
    elsewhere.known.emplace_back(server, mcp::odd_name_hash(hash.finish64()));
  }
  return elsewhere;
}

Result<> Player::end(std::istringstream& words) {
  observe::TrafficEnd traffic;
  std::string word;
  words >> word;
  if (word == "server") {
    traffic.root = observe::RootEnd::kServerFirst;
    traffic.call_error_type = "server_exit";
    words >> word;
  } else if (word == "not_started") {
    traffic.root = observe::RootEnd::kNotStarted;
  }
  int code = 0;
  words >> code;
  traffic.child = {.known = true, .signalled = word == "signal", .code = code};
  pipeline_.tracer().finish(traffic, pipeline_.now());
  return {};
}

Result<> Player::pass(const std::string& verb, std::string bytes) {
  if (!verb.ends_with("~")) bytes += "\n";
  if (verb.starts_with("<")) {
    pipeline_.from_server(bytes);
  } else if (const std::string out = pipeline_.from_client(bytes); out != bytes) {
    forwarded += out;
  }
  return {};
}

Result<> Player::play(const std::string& line) {
  std::istringstream words(line);
  double at = 0;
  std::string verb;
  if (!(words >> at >> verb))
    return std::unexpected(Error{Errc::kInvalidArgument, "not '<seconds> <verb> …': " + line});
  pipeline_.go_to(std::chrono::duration_cast<Nanos>(std::chrono::duration<double, std::micro>(std::round(at * 1e6))));
  std::string rest;
  if (verb.starts_with(">") || verb.starts_with("<")) {
    words.get();
    std::getline(words, rest);
    return pass(verb, std::move(rest));
  }
  if (verb == "tick") return {};
  if (verb == "end") return end(words);
  long number = 0;
  words >> number;
  if (verb == "wall") {
    pipeline_.jump_wall(std::chrono::seconds(number));
  } else if (verb == "drop") {
    pipeline_.tracer().add_dropped(static_cast<std::uint64_t>(number), pipeline_.now().boot);
  } else {
    return std::unexpected(Error{Errc::kInvalidArgument, "unknown verb: " + line});
  }
  return {};
}

}  // namespace

Result<Case> run_case(const Case& golden) {
  if (std::ranges::find(golden.options, "http") != golden.options.end()) return run_http_case(golden);
  MCPTRACE_TRY(Settings settings, read_settings(golden.options));
  Player player(std::move(settings));
  std::istringstream lines(golden.transcript);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.starts_with("#")) continue;
    MCPTRACE_TRY_VOID(player.play(line));
  }
  Case result = golden;
  result.forwarded = player.forwarded;
  result.records = player.records();
  return result;
}

}  // namespace mcptrace::golden
