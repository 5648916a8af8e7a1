#include "app/ship_report.h"

#include <algorithm>
#include <optional>

#include "app/commands.h"
#include "app/ship_destinations.h"
#include "client/client.h"
#include "config/reference.h"
#include "json/object.h"
#include "ledger/feed.h"
#include "otlp/encode.h"
#include "query/text.h"
#include "ship/judge.h"
#include "ship/request.h"
#include "ship/status.h"
#include "spool/shipper.h"
#include "trace/span_record.h"

namespace mcptrace::app {
namespace {

// Counting on would take seconds, and say no more.
constexpr std::size_t kMostCounted = 1'000'000;

struct Waiting {
  std::size_t spans = 0;
  std::uint64_t bytes = 0;
  Nanos oldest{};  // wall: the end of the oldest; zero: nothing waits
};

Result<Waiting> waiting_for(const std::string& state, const ship::Wanted& wanted) {
  ledger::FeedOptions options;
  options.destination = wanted.only;
  options.peek = true;
  MCPTRACE_TRY(ledger::Feed feed,
               ledger::Feed::open(state + "/spool", spool::ship_cursor(wanted.settings.name), options));
  Waiting waiting;
  const auto count = [&waiting](const ledger::Entry& entry) {
    if (!entry.is_span()) return;
    ++waiting.spans;
    waiting.bytes += entry.bytes.size();
    const Nanos end = ledger::end_of(entry.header);
    waiting.oldest = waiting.oldest.count() == 0 ? end : std::min(waiting.oldest, end);
  };
  MCPTRACE_TRY_VOID(feed.read(count, kMostCounted));
  return waiting;
}

std::string ago(const World& world, Nanos wall) {
  return query::format_ago(wall, world.clock.wall(), world.local_offset);
}

struct Report {
  ship::Wanted wanted;
  std::optional<ship::Status> status;
  Waiting waiting;
};

std::string text_of(const World& world, const std::string& state, const Report& report) {
  const ship::Settings& settings = report.wanted.settings;
  const ship::Status status = report.status.value_or(ship::Status{});
  const Waiting& waiting = report.waiting;
  std::string text = settings.name + "  " + query::display(settings.url) + " (" +
                     std::string(ship::protocol_text(settings.protocol)) + ", " +
                     std::string(ship::compression_text(settings.compression)) + ")\n";
  text += "  delivered  " + std::to_string(status.delivered);
  if (status.delivered_at.count() != 0) text += ", the last " + ago(world, status.delivered_at);
  text += "\n  waiting    " + std::to_string(waiting.spans) + (waiting.spans >= kMostCounted ? " or more" : "");
  if (waiting.spans != 0)
    text += " (" + query::format_bytes(waiting.bytes) + "), the oldest of " + ago(world, waiting.oldest);
  text += "\n";
  const auto line = [&](std::uint64_t count, std::string_view label, const std::string& what) {
    if (count != 0)
      text.append("  ").append(label).append(11 - label.size(), ' ') += std::to_string(count) + what + "\n";
  };
  line(status.rejected, "refused", " of requests that were taken");
  line(status.set_aside, "set aside",
       " that it always refuses: " + query::display(ship::directory_of(state, settings.name)) + "/aside.jsonl");
  line(status.missed_files, "expired",
       " files (" + query::format_bytes(status.missed_bytes) + ") before they were delivered");
  line(status.cut, "cut", " to what it takes");
  line(status.late, "late",
       " were older than the " + query::format_duration(settings.max_age) + " in which it finds what it is sent");
  if (!status.error.empty())
    text += "  last error " + ago(world, status.error_at) + ": " + query::display(status.error) + "\n";
  if (status.next_try > world.clock.wall()) {
    text += "  next try   in " + query::format_duration(status.next_try - world.clock.wall()) + "\n";
  }
  if (!settings.retired.empty()) text += "  note       " + settings.retired + "\n";
  return text;
}

std::string json_of(const Report& report) {
  const ship::Settings& settings = report.wanted.settings;
  const ship::Status status = report.status.value_or(ship::Status{});
  std::string text;
  json::Object object(text);
  const auto add_text = [&](std::string_view name, std::string_view value) {
    json::append_quoted(object.key(name), value);
  };
  const auto add = [&](std::string_view name, std::uint64_t value) { object.key(name) += std::to_string(value); };
  const auto add_time = [&](std::string_view name, Nanos time) {
    if (time.count() != 0) add_text(name, std::to_string(time.count()));
  };
  add_text("name", settings.name);
  add_text("url", settings.url);
  add_text("protocol", ship::protocol_text(settings.protocol));
  add_text("compression", ship::compression_text(settings.compression));
  add("delivered", status.delivered);
  add_time("delivered_at", status.delivered_at);
  add("waiting", report.waiting.spans);
  add("waiting_bytes", report.waiting.bytes);
  add_time("waiting_oldest", report.waiting.oldest);
  add("refused", status.rejected);
  add("set_aside", status.set_aside);
  add("expired_files", status.missed_files);
  add("expired_bytes", status.missed_bytes);
  add("cut", status.cut);
  add("late", status.late);
  if (!status.error.empty()) add_text("error", status.error);
  add_time("error_at", status.error_at);
  add_time("next_try", status.next_try);
  object.end();
  return text + "\n";
}

// All, with what is wrong with the others on stderr; nothing: there is none.
Destinations all_destinations(World& world, const std::string& file, const std::string& state) {
  const auto config = config::load(world.environment, file);
  if (!config) say(world, query::display(config.error().message));
  Destinations found = find_destinations(config ? &*config : nullptr, state);
  for (const std::string& error : found.errors) say(world, query::display(error));
  return found;
}

// A span of its own, for `check`.
ship::Batch check_batch(World& world) {
  trace::SpanRecord span;
  span.trace_id = world.random.trace_id();
  span.span_id = world.random.span_id();
  span.flags = 0x03;
  span.name = "mcptrace.check";
  span.start = world.clock.wall();
  span.duration = trace::kShortest;
  std::string bytes, resource;
  otlp::encode_span(span, trace::Naming::kBoth, bytes);
  const std::pair<std::string_view, std::string_view> attributes[] = {{trace::kServiceName, "mcptrace"}};
  otlp::encode_resource(attributes, resource);
  ship::Batch batch;
  batch.add({span.trace_id, span.span_id}, resource, bytes);
  return batch;
}

// What came back, in a sentence; whether the span was taken.
std::pair<bool, std::string> check_one(World& world, const ship::Settings& settings) {
  client::Client client(world.environment);
  ship::Compressor compressor;
  ship::Secrets secrets;
  const ship::Batch batch = check_batch(world);
  const auto resolve = [&world](const std::string& reference) { return config::resolve(reference, world.environment); };
  auto request = ship::make_request(settings, batch, resolve, compressor, secrets);
  if (!request) return {false, request.error().message};
  std::optional<client::Answer> answer;
  const Nanos begin = world.clock.boot();
  client.start(*std::move(request), [&answer](client::Answer came) { answer = std::move(came); });
  while (!answer) client.run(std::chrono::seconds(1));
  const ship::Judgement judgement = ship::judge(settings.protocol, *answer, world.clock.wall());
  const std::string sentence = ship::masked(judgement.sentence, secrets);
  if (judgement.verdict != ship::Verdict::kDelivered || judgement.rejected != 0) return {false, sentence};
  return {true, "took the span in " + query::format_duration(world.clock.boot() - begin) + "; look for trace " +
                    batch.spans()[0].told.trace_id.hex() + (sentence.empty() ? "" : " (" + sentence + ")")};
}

}  // namespace

int ship_status(World& world, const std::string& file, const std::string& state, bool json) {
  const Destinations found = all_destinations(world, file, state);
  std::string text;
  for (const ship::Wanted& wanted : found.wanted) {
    Report report{wanted, std::nullopt, {}};
    if (auto status = ship::read_status(ship::directory_of(state, wanted.settings.name))) report.status = *status;
    if (auto waiting = waiting_for(state, wanted)) {
      report.waiting = *waiting;
    } else {
      say(world, query::display(waiting.error().message));
    }
    text += json ? json_of(report) : text_of(world, state, report);
  }
  if (found.wanted.empty() && !json) text = "no destination is configured (docs/backends.md)\n";
  return print(world, text);
}

int ship_check(World& world, const std::string& file, const std::string& state, const std::string& name) {
  const Destinations found = all_destinations(world, file, state);
  std::string text, known;
  bool all_good = found.errors.empty(), any = false;
  for (const ship::Wanted& wanted : found.wanted) {
    known += (known.empty() ? "" : ", ") + wanted.settings.name;
    if (!name.empty() && wanted.settings.name != name) continue;
    any = true;
    const auto [good, sentence] = check_one(world, wanted.settings);
    all_good &= good;
    text += wanted.settings.name + ": " + query::display(sentence) + "\n";
    if (!wanted.settings.retired.empty()) text += wanted.settings.name + ": " + wanted.settings.retired + "\n";
  }
  if (!any) {
    const std::string what = name.empty() ? "no destination is configured" : "no destination '" + name + "'";
    return fail(world,
                {Errc::kInvalidArgument, what + (known.empty() ? " (docs/backends.md)" : "; there are " + known)});
  }
  if (const int status = print(world, text); status != kDone) return status;
  return all_good ? kDone : kFailed;
}

}  // namespace mcptrace::app
