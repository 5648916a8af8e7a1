#include "ship/outbox.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace mcptrace::ship {
namespace {

constexpr std::size_t kMostSending = 2, kMostWaiting = 2;
constexpr std::size_t kLeastBatchBytes = 16 << 10;
// So many batches in a row of which nothing is taken: it is not the spans.
constexpr std::size_t kMostRefusedInRow = 4;

// One refused span among `spans` is found by halving; two or three are, too.
std::size_t requests_to_find(std::size_t spans) { return 6 * static_cast<std::size_t>(std::bit_width(spans)); }

}  // namespace

Outbox::Outbox(const Settings& settings, Random& random)
    : limits_(settings.limits),
      delay_(settings.delay),
      pace_(settings.retry_first, settings.retry_most, random),
      batch_bytes_(settings.limits.batch_bytes) {}

bool Outbox::wants() const { return waiting_.size() < kMostWaiting; }

void Outbox::add(const ledger::SpanKey& told, std::string_view resource, std::string_view span, Nanos now) {
  if (!filling_.empty() && filling_.bytes() + span.size() > batch_bytes_) close_filling();
  if (filling_.empty()) filling_since_ = now, filling_.number = spans_read_;
  filling_.add(told, resource, span);
  ++spans_read_;
  if (filling_.spans().size() >= limits_.batch_spans) close_filling();
}

void Outbox::close_filling() {
  waiting_.push_back(std::move(filling_));
  filling_ = {};
}

// While the receiver is in doubt one request at a time asks after it.
const Batch* Outbox::next(Nanos now, bool hurry) {
  if (now < pace_.next() || sending_.size() >= (pace_.is_good() ? kMostSending : 1)) return nullptr;
  if (waiting_.empty() && !filling_.empty() && (hurry || now >= filling_since_ + delay_)) close_filling();
  if (waiting_.empty()) return nullptr;
  sending_.splice(sending_.end(), waiting_, waiting_.begin());
  return &sending_.back();
}

void Outbox::done(const Batch& sent, const Judgement& judgement, Nanos now, std::vector<Batch>& refused) {
  const auto place = std::ranges::find(sending_, &sent, [](const Batch& batch) { return &batch; });
  MCPTRACE_CHECK(place != sending_.end());
  Batch batch = std::move(*place);
  sending_.erase(place);
  const std::uint64_t spans = batch.spans().size();
  switch (judgement.verdict) {
    case Verdict::kDelivered: {
      const auto rejected = std::min(static_cast<std::uint64_t>(judgement.rejected), spans);
      counts_.rejected += rejected;
      counts_.delivered += spans - rejected;
      if (batch.trial) batch.trial->accepted = true;
      refused_in_row_ = 0;
      pace_.good();
      break;
    }
    case Verdict::kRetry:
      put_back(std::move(batch));
      // One that was sent before the last failure was known says nothing new.
      if (judgement.retry_after || now >= pace_.next()) pace_.failed(judgement.retry_after, now);
      break;
    case Verdict::kMisplaced:
      put_back(std::move(batch));
      pace_.misplaced(now);
      break;
    case Verdict::kTooLarge:
      pace_.good();
      if (spans == 1) return refuse(std::move(batch), now, refused);
      batch_bytes_ = std::clamp(batch.bytes() / 2, std::min(kLeastBatchBytes, batch_bytes_), batch_bytes_);
      halve(std::move(batch));
      break;
    case Verdict::kRefused:
      pace_.good();
      if (!batch.trial) batch.trial = std::make_shared<Trial>(requests_to_find(spans));
      if (spans == 1 || batch.trial->requests_left < 2) return refuse(std::move(batch), now, refused);
      batch.trial->requests_left -= 2;
      halve(std::move(batch));
  }
}

void Outbox::halve(Batch batch) {
  auto [first, second] = batch.halves();
  put_back(std::move(first));
  put_back(std::move(second));
}

// Before all that was read later.
void Outbox::put_back(Batch batch) {
  const auto later = std::ranges::find_if(waiting_, [&](const Batch& other) { return other.number > batch.number; });
  waiting_.insert(later, std::move(batch));
}

void Outbox::refuse(Batch batch, Nanos now, std::vector<Batch>& refused) {
  counts_.set_aside += batch.spans().size();
  const bool nothing_taken = !batch.trial || !batch.trial->accepted;
  refused_in_row_ = nothing_taken ? refused_in_row_ + 1 : 0;
  if (refused_in_row_ >= kMostRefusedInRow) pace_.failed(std::nullopt, now);
  refused.push_back(std::move(batch));
}

std::optional<Nanos> Outbox::next_deadline() const {
  if (sending_.size() >= (pace_.is_good() ? kMostSending : 1)) return std::nullopt;
  if (!waiting_.empty()) return pace_.next();
  if (!filling_.empty()) return std::max(pace_.next(), filling_since_ + delay_);
  return std::nullopt;
}

std::vector<ledger::SpanKey> Outbox::undecided() const {
  std::vector<ledger::SpanKey> undecided;
  const auto add = [&undecided](const Batch& batch) {
    for (const Batch::Span& span : batch.spans()) undecided.push_back(span.told);
  };
  add(filling_);
  std::ranges::for_each(waiting_, add);
  std::ranges::for_each(sending_, add);
  return undecided;
}

}  // namespace mcptrace::ship
