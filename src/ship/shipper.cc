#include "ship/shipper.h"

#include <algorithm>
#include <set>

#include "ship/aside.h"
#include "ship/cut.h"
#include "spool/directory.h"
#include "spool/shipper.h"

namespace mcptrace::ship {
namespace {

// What was told and is not on disk costs memory, and is sent again after a kill.
constexpr std::size_t kMostToldUnsaved = 20'000;
constexpr Nanos kSaveEvery = std::chrono::seconds(1);
// So old is a backlog, beside which what is new has its share; else the oldest goes first.
constexpr Nanos kBacklog = std::chrono::minutes(2);
constexpr Nanos kLookAheadEvery = std::chrono::milliseconds(200);
constexpr Nanos kLookAtOpenEvery = std::chrono::seconds(5);

}  // namespace

std::string directory_of(const std::string& state, const std::string& name) { return state + "/ship/" + name; }

Result<std::unique_ptr<Shipper>> Shipper::open(Settings settings, Place& place, const std::string& only) {
  ledger::FeedOptions options;
  options.destination = only;
  MCPTRACE_TRY(ledger::Feed feed,
               ledger::Feed::open(place.state + "/spool", spool::ship_cursor(settings.name), options));
  MCPTRACE_TRY(const UniqueFd made, spool::make_directory(directory_of(place.state, settings.name)));
  return std::unique_ptr<Shipper>(new Shipper(std::move(settings), place, std::move(feed)));
}

Shipper::Shipper(Settings settings, Place& place, ledger::Feed feed)
    : settings_(std::move(settings)),
      place_(place),
      directory_(directory_of(place.state, settings_.name)),
      feed_(std::move(feed)),
      roots_(directory_ + "/roots", place.key, place.random),
      outbox_(settings_, place.random),
      self_(std::make_shared<Shipper*>(this)) {
  if (auto status = read_status(directory_)) status_ = *std::move(status);
  status_.url = settings_.url;
  status_.protocol = protocol_text(settings_.protocol);
  status_.compression = compression_text(settings_.compression);
  missed_before_ = {status_.missed_files, status_.missed_bytes};
  outbox_.go_on_from({status_.delivered, status_.rejected, status_.set_aside});
  refused_before_ = refused();
}

void Shipper::pump(bool changed, bool hurry) {
  more_ |= changed;
  const Nanos now = place_.clock.boot();
  if (!stopped_) {
    while (more_ && outbox_.wants()) {
      read();
      if (told_ >= kMostToldUnsaved) save();
    }
    // What is read on may end them.
    if (!more_ && now >= looked_at_ + kLookAtOpenEvery) take_open_roots();
    while (const Batch* batch = outbox_.next(now, hurry)) send(*batch);
  }
  const bool settled = !more_ && outbox_.empty();
  if (unsaved_ && (settled || now >= saved_at_ + kSaveEvery)) save();
}

std::optional<Nanos> Shipper::next_deadline() const {
  std::optional<Nanos> next = stopped_ ? std::nullopt : outbox_.next_deadline();
  if (unsaved_) next = std::min(next.value_or(saved_at_ + kSaveEvery), saved_at_ + kSaveEvery);
  return next;
}

void Shipper::read() {
  if (has_backlog_ && read_ahead()) return;
  const Nanos now = place_.clock.wall();
  Nanos last = now;  // the end of the last that was told
  const auto tell = [&](const ledger::Entry& entry) {
    last = ledger::end_of(entry.header);
    take(entry);
  };
  const auto told = feed_.read(tell, settings_.limits.batch_spans);
  has_backlog_ = subtract(now, last) > kBacklog;
  if (!told) note_error("the spool cannot be read: " + told.error().message);
  more_ = told && !feed_.settled();
}

// Of the requests what is new has its share, however long what is old takes.
bool Shipper::read_ahead() {
  fresh_due_ += settings_.fresh_share;
  if (fresh_due_ < 1) return false;
  fresh_due_ -= 1;
  const Nanos now = place_.clock.boot();
  const bool look = now >= looked_ahead_at_ + kLookAheadEvery;
  if (look) looked_ahead_at_ = now;
  const auto tell = [this](const ledger::Entry& entry) { take(entry); };
  const auto told = feed_.read_ahead(tell, settings_.limits.batch_spans, look);
  return told && *told > 0;
}

void Shipper::take(const ledger::Entry& entry) {
  unsaved_ = true;
  ++told_;
  if (!entry.is_span()) return;  // logs are not shipped yet
  if (entry.header.operation == trace::Operation::kInitialize && !entry.header.has(trace::kFromServer)) {
    roots_.saw_initialize(entry.header.session_print, place_.clock.wall());
  }
  if (entry.header.has(trace::kRootSpan)) return take_root(entry);
  add(ledger::key_of(entry.header), entry.header, feed_.entries().resource_bytes(entry), entry.bytes);
}

void Shipper::take_root(const ledger::Entry& entry) {
  const auto bytes = roots_.written(entry.header, entry.bytes);
  if (!bytes) return note_error("a session's root cannot be read: " + bytes.error().message);
  if (!*bytes) return;
  add(ledger::key_of(entry.header), entry.header, feed_.entries().resource_bytes(entry), **bytes);
}

// Those that cannot wait for their end.
void Shipper::take_open_roots() {
  const Instant now = place_.clock.now();
  looked_at_ = now.boot;
  feed_.open_roots([&](const trace::SpanHeader& header, std::string_view bytes, Nanos last, std::string_view resource) {
    if (subtract(now.wall, header.start) < settings_.partial_after) return;
    const auto partial = roots_.open(header, bytes, last);
    if (!partial || !*partial) return;
    unsaved_ = true;
    add(ledger::key_of(header), header, resource, **partial);
  });
}

// Counts what the backend is not likely to find.
bool Shipper::is_wanted(const trace::SpanHeader& header) {
  if (settings_.max_age.count() == 0) return true;
  if (subtract(place_.clock.wall(), ledger::end_of(header)) <= settings_.max_age) return true;
  ++status_.late;
  return settings_.ships_older;
}

void Shipper::add(const ledger::SpanKey& told, const trace::SpanHeader& header, std::string_view resource,
                  std::string_view bytes) {
  if (!is_wanted(header)) return;
  if (!fits(header, bytes, settings_.limits)) {
    scratch_.clear();
    const auto cut = append_cut(bytes, settings_.limits, scratch_);
    if (!cut) return note_error("a span cannot be read: " + cut.error().message);
    if (*cut) ++status_.cut;
    bytes = scratch_;
  }
  outbox_.add(told, resource, bytes, place_.clock.boot());
}

void Shipper::send(const Batch& batch) {
  Secrets secrets;
  auto request = make_request(settings_, batch, place_.resolve, place_.compressor, secrets);
  if (!request) {
    const bool misplaced = request.error().code == Errc::kInvalidArgument;
    return judged(batch,
                  {.verdict = misplaced ? Verdict::kMisplaced : Verdict::kRetry, .sentence = request.error().message});
  }
  place_.client.start(*std::move(request),
                      [self = std::weak_ptr(self_), &batch, secrets](const client::Answer& answer) {
                        if (const auto shipper = self.lock()) (*shipper)->answered(batch, answer, secrets);
                      });
}

void Shipper::answered(const Batch& batch, const client::Answer& answer, const Secrets& secrets) {
  Judgement judgement = judge(settings_.protocol, answer, place_.clock.wall());
  judgement.sentence = masked(std::move(judgement.sentence), secrets);
  judged(batch, std::move(judgement));
}

void Shipper::judged(const Batch& batch, Judgement judgement) {
  const Instant now = place_.clock.now();
  if (judgement.verdict == Verdict::kDelivered) status_.delivered_at = now.wall;
  if (!judgement.sentence.empty()) note_error(judgement.sentence);
  unsaved_ = true;
  std::vector<Batch> refused;
  outbox_.done(batch, judgement, now.boot, refused);
  for (const Batch& one : refused) {
    if (auto kept = set_aside(directory_, one, judgement.sentence, now.wall); !kept) note_error(kept.error().message);
  }
}

void Shipper::note_error(std::string sentence) {
  status_.error = std::move(sentence);
  status_.error_at = place_.clock.wall();
}

void Shipper::save() {
  const Instant now = place_.clock.now();
  const std::vector<ledger::SpanKey> undecided = outbox_.undecided();
  auto saved = roots_.save({undecided.begin(), undecided.end()});
  if (saved) saved = feed_.save(undecided);
  if (!saved) note_error("what was delivered cannot be kept: " + saved.error().message);
  told_ = 0;
  unsaved_ = false;
  saved_at_ = now.boot;
  const OutboxCounts& counts = outbox_.counts();
  status_.delivered = counts.delivered;
  status_.rejected = counts.rejected;
  status_.set_aside = counts.set_aside;
  status_.missed_files = missed_before_.files + feed_.missed().files;
  status_.missed_bytes = missed_before_.bytes + feed_.missed().bytes;
  const Nanos next = outbox_.pace().next();
  status_.next_try = next > now.boot ? now.wall + (next - now.boot) : Nanos(0);
  if (status_ == written_) return;
  if (write_status(directory_, status_)) written_ = status_;
}

}  // namespace mcptrace::ship
