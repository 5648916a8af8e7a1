// Plays a transcript of HTTP exchanges (case_file.h says how it is written).
#include <cmath>
#include <sstream>

#include "golden/case_file.h"
#include "golden/http_pipeline.h"
#include "golden/record_text.h"

namespace mcptrace::golden {
namespace {

Error bad(const std::string& what) { return {Errc::kInvalidArgument, what}; }

struct Settings {
  proxy::TracingOptions tracing;
  observe::TracerOptions tracer;
};

std::string after(const std::string& text, std::string_view prefix) { return text.substr(prefix.size()); }

Result<Settings> read_settings(const std::vector<std::string>& options) {
  Settings settings;
  settings.tracer.instance_id = "i";
  settings.tracer.transport = "tcp";
  for (const std::string& option : options) {
    if (option == "http") continue;
    if (option == "no-inject") {
      settings.tracing.inject = false;
    } else if (option == "trust-proxy") {
      settings.tracing.trust_proxy = true;
    } else if (option.starts_with("trusted-proxy=")) {
      MCPTRACE_TRY_VOID(settings.tracing.trusted_proxies.add(after(option, "trusted-proxy=")));
    } else if (option == "client-address") {
      settings.tracing.client_address = true;
    } else if (option == "parent=header") {
      settings.tracing.parent = observe::ParentOrder::kHeaderFirst;
    } else if (option == "parent=root") {
      settings.tracing.parent = observe::ParentOrder::kRootOnly;
    } else if (option == "naming=semconv") {
      settings.tracer.naming = trace::Naming::kSemconv;
    } else if (option.starts_with("conversation-header=")) {
      settings.tracing.conversation_headers.push_back(after(option, "conversation-header="));
    } else if (option.starts_with("name=")) {
      settings.tracing.name = after(option, "name=");
    } else if (option.starts_with("route=")) {
      settings.tracing.route_names.push_back(after(option, "route="));
    } else if (option.starts_with("stretch-calls=")) {
      settings.tracing.stretch_calls = static_cast<std::uint32_t>(std::stoi(after(option, "stretch-calls=")));
    } else if (option.starts_with("max-open=")) {
      settings.tracer.max_open = static_cast<std::size_t>(std::stoi(after(option, "max-open=")));
    } else if (option.starts_with("max-exchanges=")) {
      settings.tracer.max_exchanges = static_cast<std::size_t>(std::stoi(after(option, "max-exchanges=")));
    } else {
      return std::unexpected(bad("unknown option '" + option + "'"));
    }
  }
  if (settings.tracing.route_names.empty()) settings.tracing.route_names.push_back("golden");
  for (const std::string& route : settings.tracing.route_names) {
    const std::string& name = settings.tracing.name.empty() ? route : settings.tracing.name;
    settings.tracer.routes.push_back({name, route + ".example", 8080});
  }
  return settings;
}

// \n, \r and \t; all else is itself.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '\\' && i + 1 < text.size() && std::string_view("nrt").contains(text[i + 1]);
    out += !escape ? text[i] : text[++i] == 'n' ? '\n' : text[i] == 'r' ? '\r' : '\t';
  }
  return out;
}

// A line of the transcript, and the indented ones below it.
struct Step {
  double at = 0;
  int connection = 0;
  std::string verb, rest, body;
  HeaderLines headers;
  bool has_body = false;
};

Result<std::vector<Step>> read_steps(const std::string& transcript) {
  std::vector<Step> steps;
  std::istringstream lines(transcript);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.starts_with("# ")) continue;
    if (line.starts_with("  ")) {
      if (steps.empty()) return std::unexpected(bad("nothing that '" + line + "' belongs to"));
      Step& step = steps.back();
      if (line.starts_with("  | ")) {
        if (step.has_body) step.body += "\n";
        step.body += line.substr(4);
        step.has_body = true;
        continue;
      }
      const auto colon = line.find(": ");
      if (colon == std::string::npos) return std::unexpected(bad("no header field: " + line));
      step.headers.emplace_back(line.substr(2, colon - 2), line.substr(colon + 2));
      continue;
    }
    Step& step = steps.emplace_back();
    std::istringstream words(line);
    if (!(words >> step.at >> step.verb)) return std::unexpected(bad("not '<seconds> <verb> …': " + line));
    if (step.verb.starts_with("#")) {
      step.connection = std::stoi(step.verb.substr(1));
      words >> step.verb;
    }
    words.get();
    std::getline(words, step.rest);
  }
  return steps;
}

class Player {
 public:
  explicit Player(Settings settings)
      : sink_(HttpPipeline::start().wall, settings.tracer.naming),
        pipeline_(std::move(settings.tracing), std::move(settings.tracer), sink_) {}

  Result<> play(const Step& step);
  std::string records() { return sink_.text; }
  std::string forwarded;

 private:
  void request(const Step& step);
  void answer(const Step& step, int status);
  Result<> end(const Step& step);

  TextSink sink_;
  HttpPipeline pipeline_;
};

void Player::request(const Step& step) {
  HttpPipeline::Request request;
  std::istringstream words(step.rest);
  words >> request.method >> request.target;
  for (std::string word; words >> word;) {
    if (word == "chunked") request.chunked = true;
    if (word == "expect") request.expects_continue = true;
    if (word == "cut") request.cut = true;
    if (word.starts_with("from=")) request.client = word.substr(5);
    if (word.starts_with("route=")) request.route = static_cast<std::size_t>(std::stoi(word.substr(6)));
    if (word.starts_with("pad=")) request.body.assign(static_cast<std::size_t>(std::stoi(word.substr(4))), ' ');
  }
  request.headers = step.headers;
  request.body += step.body;
  bool typed = false;
  for (const auto& [name, value] : step.headers) typed |= name == "content-type" || name == "Content-Type";
  if (step.has_body && !typed) request.headers.emplace_back("Content-Type", "application/json");
  const Forwarded passed = pipeline_.request(step.connection, request);
  if (!passed.changed) return;
  forwarded += "#" + std::to_string(step.connection) + " traceparent: " + passed.traceparent + "\n";
  if (!passed.tracestate.empty()) forwarded += "tracestate: " + passed.tracestate + "\n";
  forwarded += passed.body + "\n";
}

void Player::answer(const Step& step, int status) {
  HeaderLines headers = step.headers;
  if (step.has_body) headers.emplace_back("Content-Type", "application/json");
  if (step.rest.ends_with(" away")) pipeline_.leads_away(step.connection);
  pipeline_.answer(step.connection, status, headers);
  if (!step.has_body) return;
  pipeline_.piece(step.connection, step.body);
  pipeline_.end(step.connection, proxy::ExchangeEnd::kComplete);
}

Result<> Player::end(const Step& step) {
  std::istringstream words(step.rest);
  std::string how = "complete", type;
  words >> how >> type;
  const auto end = how == "client"   ? proxy::ExchangeEnd::kClientClosed
                   : how == "left"   ? proxy::ExchangeEnd::kClientLeft
                   : how == "server" ? proxy::ExchangeEnd::kServerClosed
                   : how == "failed" ? proxy::ExchangeEnd::kFailed
                                     : proxy::ExchangeEnd::kComplete;
  if (end == proxy::ExchangeEnd::kComplete && how != "complete") return std::unexpected(bad("unknown end: " + how));
  pipeline_.end(step.connection, end, type);
  return {};
}

Result<> Player::play(const Step& step) {
  pipeline_.go_to(
      std::chrono::duration_cast<Nanos>(std::chrono::duration<double, std::micro>(std::round(step.at * 1e6))));
  if (step.verb == ">") {
    request(step);
  } else if (step.verb == "<") {
    answer(step, std::stoi(step.rest));
  } else if (step.verb == "<<") {
    pipeline_.piece(step.connection, unescape(step.rest));
  } else if (step.verb == "end") {
    return end(step);
  } else if (step.verb == "left") {
    pipeline_.client_left(step.connection);
  } else if (step.verb == "endpoint_away") {
    pipeline_.endpoint_leads_away(step.connection);
  } else if (step.verb == "bad_head") {
    // It is a text that lives for ever.
    static constexpr std::string_view kWhy = "two Content-Length fields";
    if (step.rest != kWhy) return std::unexpected(bad("unknown fault: " + step.rest));
    pipeline_.bad_head(step.connection, kWhy);
  } else if (step.verb == "shutdown") {
    pipeline_.tracer().finish({}, pipeline_.now());
  } else if (step.verb == "wall") {
    pipeline_.jump_wall(std::chrono::seconds(std::stol(step.rest)));
  } else if (step.verb == "drop") {
    pipeline_.tracer().add_dropped(static_cast<std::uint64_t>(std::stoi(step.rest)), pipeline_.now().boot);
  } else if (step.verb == "write_open") {
    pipeline_.tracer().write_open();
  } else if (step.verb != "tick") {
    return std::unexpected(bad("unknown verb: " + step.verb));
  }
  return {};
}

}  // namespace

Result<Case> run_http_case(const Case& golden) {
  MCPTRACE_TRY(Settings settings, read_settings(golden.options));
  MCPTRACE_TRY(const std::vector<Step> steps, read_steps(golden.transcript));
  Player player(std::move(settings));
  for (const Step& step : steps) MCPTRACE_TRY_VOID(player.play(step));
  Case result = golden;
  result.forwarded = player.forwarded;
  result.records = player.records();
  return result;
}

}  // namespace mcptrace::golden
