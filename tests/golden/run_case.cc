// Plays a transcript: the same framing, placement and tracer as the product, with time, randomness and files taken out.
#include <cmath>
#include <sstream>

#include "golden/case_file.h"
#include "golden/pipeline.h"
#include "golden/record_text.h"

namespace mcptrace::golden {
namespace {

struct Settings {
  observe::PlacementOptions placement;
  observe::TracerOptions tracer;
};

Result<Settings> read_settings(const std::vector<std::string>& options) {
  Settings settings;
  settings.placement.name = "golden";
  settings.tracer.service_name = "golden";
  settings.tracer.instance_id = "i";
  for (const std::string& option : options) {
    if (option == "naming=guide") {
      settings.tracer.naming = trace::Naming::kGuide;
    } else if (option == "naming=semconv") {
      settings.tracer.naming = trace::Naming::kSemconv;
    } else if (option == "no-inject") {
      settings.placement.inject = false;
    } else if (option == "name-fixed") {
      settings.tracer.service_name_fixed = true;
    } else if (option.starts_with("traceparent=")) {
      settings.tracer.environment = settings.placement.environment = trace::parse_traceparent(option.substr(12));
    } else if (option.starts_with("max-open=")) {
      settings.tracer.max_open = static_cast<std::size_t>(std::stoi(option.substr(9)));
    } else {
      return std::unexpected(Error{Errc::kInvalidArgument, "unknown option '" + option + "'"});
    }
  }
  return settings;
}

class Player {
 public:
  explicit Player(Settings settings)
      : sink_(Pipeline::start().wall, settings.tracer.naming),
        pipeline_(std::move(settings.placement), std::move(settings.tracer), sink_) {}

  Result<> play(const std::string& line);
  std::string records() { return sink_.text; }
  std::string forwarded;

 private:
  Result<> end(std::istringstream& words);
  Result<> pass(const std::string& verb, std::string bytes);

  TextSink sink_;
  Pipeline pipeline_;
};

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
    pipeline_.tracer().add_dropped(static_cast<std::uint64_t>(number));
  } else {
    return std::unexpected(Error{Errc::kInvalidArgument, "unknown verb: " + line});
  }
  return {};
}

}  // namespace

Result<Case> run_case(const Case& golden) {
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
