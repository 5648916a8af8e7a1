#include "query/load.h"

#include <algorithm>
#include <chrono>
#include <ranges>
#include <set>

#include "otlp/record_tag.h"
#include "query/span_set.h"
#include "query/text.h"

namespace mcptrace::query {
namespace {

using ledger::Ledger;
using ledger::needs_count;
using spool::FileInfo;
using spool::FileReader;
using spool::ReadFilter;
using spool::RecordType;

// Of file bytes that are read for counts that no session_close tells: beyond it they are lower bounds.
constexpr std::uint64_t kCountingBytes = 96u << 20;
constexpr std::size_t kNamedCandidates = 8;

constexpr std::uint32_t bit(RecordType type) { return 1u << static_cast<unsigned>(type); }
// Without ended spans: blocks need not be unpacked.
constexpr std::uint32_t kFrames = bit(RecordType::kResource) | bit(RecordType::kSessionOpen) |
                                  bit(RecordType::kCallOpen) | bit(RecordType::kSessionClose) |
                                  bit(RecordType::kCounters);

struct Spool {
  std::vector<FileInfo> files;  // last written first
};

Result<Spool> open_spool(const std::string& directory) {
  MCPTRACE_TRY(std::vector<FileInfo> files, spool::list_files(directory));
  std::ranges::sort(files, [](const FileInfo& a, const FileInfo& b) {
    if (a.modified != b.modified) return a.modified > b.modified;
    return a.created != b.created ? a.created > b.created : a.path > b.path;
  });
  return Spool{std::move(files)};
}

void read_frames(const Spool& spool, std::size_t number, Ledger& ledger, Skips& skips) {
  const FileInfo& file = spool.files[number];
  ledger.begin_file(static_cast<std::uint32_t>(number), file.locked, file.modified);
  FileReader reader(file.path, ReadFilter{kFrames, {}});
  while (const auto record = reader.next()) {
    if (const auto entry = ledger.read(*record)) ledger.add(*entry);
  }
  skips.note(file.path, reader);
}

// Counts of these sessions from their spans, newest files first, within the bound.
void read_counts(const Spool& spool, const std::vector<SessionKey>& keys, Nanos now, Ledger& ledger, Skips& skips) {
  std::set<std::uint32_t> numbers;
  for (const SessionKey& key : keys) {
    const Session& session = *ledger.find(key);
    numbers.insert(session.files.begin(), session.files.end());
  }
  ledger.begin_counting(keys);
  std::uint64_t bytes = 0;
  bool complete = true;
  for (const std::uint32_t number : numbers) {
    const FileInfo& file = spool.files[number];
    if (bytes != 0 && bytes + file.bytes > kCountingBytes) {
      complete = false;
      break;
    }
    bytes += file.bytes;
    ledger.begin_file(number, file.locked, file.modified);
    FileReader reader(file.path);
    while (const auto record = reader.next()) {
      if (const auto entry = ledger.read(*record)) ledger.count(*entry);
    }
    skips.note(file.path, reader);
  }
  ledger.end_counting(complete);
  ledger.settle(now);
}

// Could files last written before `modified` say more of it?
bool is_whole(const Session& session, Nanos modified) {
  for (const Stretch& stretch : session.stretches) {
    const auto is_previous = [&](const Stretch& other) { return other.root == stretch.previous; };
    if (stretch.previous && std::ranges::none_of(session.stretches, is_previous)) return false;
    // Another process may have written of the same ids, on the same day.
    if (stretch.derived && modified >= subtract(stretch.start, std::chrono::hours(24))) return false;
  }
  // The root of one that is over, with its counts, stands before its session_close in the same file.
  return session.over() || modified < session.start;
}

class SessionLoader {
 public:
  SessionLoader(Spool spool, const SessionQuery& query) : spool_(std::move(spool)), query_(query) {}

  SessionList load() {
    list_.empty_spool = spool_.files.empty();
    for (;;) {
      std::vector<const Session*> best = candidates();
      if (!enough(best)) {
        read_frames(spool_, next_++, ledger_, list_.skips);
        ledger_.settle(query_.now);
        continue;
      }
      best.resize(std::min(best.size(), query_.limit));
      if (look_closer(best)) continue;
      const bool unread = next_ < spool_.files.size() && !is_too_old(spool_.files[next_]);
      list_.more = candidates().size() > best.size() || unread;
      for (const Session* session : best) list_.sessions.push_back(*session);
      list_.hidden_probes = hidden_;
      list_.skips.note(ledger_.entries().counters());
      return std::move(list_);
    }
  }

 private:
  [[nodiscard]] bool fits(const Session& session) const {
    if (query_.since && session.activity < *query_.since) return false;
    if (!query_.server.empty() && session.service != query_.server && session.server_name != query_.server)
      return false;
    if (needs_count(session)) return true;  // not known yet
    if (!session.opened || (session.kind == Class::kProbe && !query_.all)) return false;
    return !query_.errors || session.counts.errors > 0 || session.state == State::kFailed ||
           !session.error_type().empty();
  }

  std::vector<const Session*> candidates() {
    std::vector<const Session*> fitting;
    hidden_ = 0;
    for (const auto& [key, session] : ledger_.sessions()) {
      if (fits(session)) fitting.push_back(&session);
      hidden_ += session.kind == Class::kProbe && !query_.all;
    }
    std::ranges::sort(fitting, [](const Session* a, const Session* b) {
      if (a->activity != b->activity) return a->activity > b->activity;
      return a->key > b->key;
    });
    return fitting;
  }

  [[nodiscard]] bool is_too_old(const FileInfo& file) const { return query_.since && file.modified < *query_.since; }

  // No file that is still unread can change the first `limit` of them.
  bool enough(const std::vector<const Session*>& best) {
    if (next_ == spool_.files.size()) return true;
    const Nanos modified = spool_.files[next_].modified;
    const bool too_old = is_too_old(spool_.files[next_]);
    if (best.size() < query_.limit && !too_old) return false;
    for (std::size_t i = 0; i < best.size() && i < query_.limit; ++i) {
      if (!is_whole(*best[i], modified) || (!too_old && best[i]->activity < modified)) return false;
    }
    return true;
  }

  // Counts where they are wanting; true if that was done, so that it must be asked again who fits. Then of all at once,
  // as the next ones may prove not to fit, too.
  bool look_closer(const std::vector<const Session*>& best) {
    if (std::ranges::none_of(best, [](const Session* session) { return needs_count(*session); })) return false;
    std::vector<SessionKey> wanting;
    for (const Session* session : looked_closer_ ? candidates() : best) {
      if (needs_count(*session)) wanting.push_back(session->key);
    }
    looked_closer_ = true;
    read_counts(spool_, wanting, query_.now, ledger_, list_.skips);
    return true;
  }

  Spool spool_;
  const SessionQuery& query_;
  Ledger ledger_;
  std::size_t next_ = 0;  // file to read
  bool looked_closer_ = false;
  std::uint64_t hidden_ = 0;
  SessionList list_;
};

}  // namespace

Result<SessionList> load_sessions(const std::string& directory, const SessionQuery& query) {
  MCPTRACE_TRY(Spool spool, open_spool(directory));
  SessionList list = SessionLoader(std::move(spool), query).load();
  list.skips.note(spool::read_expired(directory));
  return list;
}

namespace {

struct Digits {
  std::string hex;
  bool session = false;  // "s-" stood before: no trace id
};

Result<Digits> parse_id(std::string_view id) {
  Digits digits;
  std::string_view rest = id;
  if (rest.starts_with("s-")) {
    digits.session = true;
    rest.remove_prefix(2);
  }
  for (const char c : rest) digits.hex += static_cast<char>(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
  const bool all_hex = digits.hex.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!all_hex || digits.hex.size() < 4 || digits.hex.size() > (digits.session ? 16 : 32)) {
    return std::unexpected(Error{Errc::kInvalidArgument, "'" + cut(display(id), 80) +
                                                             "' is no trace or session id: 4 to 32 hexadecimal digits, "
                                                             "or s- and 4 to 16"});
  }
  return digits;
}

bool fits_id(const Session& session, const Digits& digits) {
  return !session.id.empty() && session.id.substr(2).starts_with(digits.hex);
}

// The traces that sessions have roots in, and that fit.
std::set<TraceId> traces_that_fit(const Session& session, const Digits& digits) {
  std::set<TraceId> traces;
  for (const Stretch& stretch : session.stretches) {
    if (!digits.session && stretch.root.trace_id.hex().starts_with(digits.hex)) traces.insert(stretch.root.trace_id);
  }
  return traces;
}

Error ambiguous(std::string_view id, const std::vector<std::string>& candidates) {
  std::string message = "'" + std::string(id) + "' fits " + std::to_string(candidates.size()) + ": ";
  for (std::size_t i = 0; i < candidates.size() && i < kNamedCandidates; ++i) {
    message += (i == 0 ? "" : ", ") + candidates[i];
  }
  if (candidates.size() > kNamedCandidates) message += ", …";
  return {Errc::kAmbiguous, message};
}

void add_file(Found& found, const FileInfo& file) {
  found.paths.push_back(file.path);
  if (file.locked) found.held.insert(file.path);
}

Found found_session(const Spool& spool, const Session& session) {
  Found found;
  found.session = session;
  for (const Stretch& stretch : session.stretches) found.traces.push_back(stretch.root.trace_id);
  if (session.key.print == 0 && found.traces.empty()) found.traces.push_back(session.key.trace_id);
  std::vector<std::uint32_t> numbers = session.files;
  std::ranges::sort(numbers, std::greater<>());  // oldest first
  for (const std::uint32_t number : numbers) add_file(found, spool.files[number]);
  return found;
}

// No session has the id: is it a caller's trace, in which only calls took part?
Result<Found> find_joined_trace(const Spool& spool, const Ledger& ledger, std::string_view id, const Digits& digits,
                                Skips& skips) {
  ReadFilter filter;
  if (digits.hex.size() >= 8) {
    TraceId start;
    parse_hex(digits.hex.substr(0, 8), std::span(start.bytes).first(4));
    filter.tag = otlp::spool_tag(start);
  }
  std::set<TraceId> traces;
  std::set<std::size_t> numbers;
  ledger::Entries entries;
  for (std::size_t i = spool.files.size(); i-- > 0 && !digits.session;) {
    FileReader reader(spool.files[i].path, filter);
    while (const auto record = reader.next()) {
      const auto entry = entries.read(*record);
      if (!entry || !entry->header.trace_id.hex().starts_with(digits.hex)) continue;
      if (ledger.started_as(entry->session) != nullptr) continue;  // it is told elsewhere
      traces.insert(entry->header.trace_id);
      numbers.insert(i);
    }
    skips.note(spool.files[i].path, reader);
  }
  if (traces.empty()) {
    return std::unexpected(Error{Errc::kNotFound, "no session or trace '" + std::string(id) + "' is stored here"});
  }
  if (traces.size() > 1) {
    std::vector<std::string> names;
    for (const TraceId& trace : traces) names.push_back(trace.hex());
    return std::unexpected(ambiguous(id, names));
  }
  Found found;
  found.traces.assign(traces.begin(), traces.end());
  for (const std::size_t number : std::views::reverse(numbers)) add_file(found, spool.files[number]);
  return found;
}

Result<Found> find_by_id(const Spool& spool, const Ledger& ledger, std::string_view id, Skips& skips) {
  MCPTRACE_TRY(const Digits digits, parse_id(id));
  std::vector<const Session*> by_session, by_trace;
  std::set<TraceId> traces;
  for (const auto& [key, session] : ledger.sessions()) {
    const std::set<TraceId> fitting = traces_that_fit(session, digits);
    if (fits_id(session, digits)) {
      by_session.push_back(&session);
    } else if (!fitting.empty()) {
      by_trace.push_back(&session);
    }
    traces.insert(fitting.begin(), fitting.end());
  }
  if (by_session.size() == 1 && by_trace.empty()) return found_session(spool, *by_session.front());
  if (by_session.empty() && traces.empty()) return find_joined_trace(spool, ledger, id, digits, skips);
  if (by_session.empty() && traces.size() == 1) {
    // Others may have taken part in it, or have roots in it: their agent gave it to them.
    MCPTRACE_TRY(Found whole, find_joined_trace(spool, ledger, id, {traces.begin()->hex()}, skips));
    if (by_trace.size() > 1) return whole;
    Found found = found_session(spool, *by_trace.front());
    found.joined = *traces.begin();
    for (std::string& path : whole.paths) {
      if (std::ranges::find(found.paths, path) == found.paths.end()) found.paths.push_back(std::move(path));
    }
    found.held.merge(whole.held);
    return found;
  }
  std::vector<std::string> names;
  for (const auto* fitting : {&by_session, &by_trace}) {
    for (const Session* session : *fitting) {
      names.push_back(!session->id.empty() ? session->id : session->stretches.front().root.trace_id.hex());
    }
  }
  return std::unexpected(ambiguous(id, names));
}

// Of those that `mcptrace sessions` shows.
Result<Found> find_newest(const Spool& spool, Nanos now, Ledger& ledger, Skips& skips) {
  for (;;) {
    const Session* newest = nullptr;
    std::uint64_t others = 0;
    std::vector<SessionKey> wanting;  // that may not be shown, or that is the newest
    for (const auto& [key, session] : ledger.sessions()) {
      if (!session.opened || session.kind == Class::kProbe) continue;
      ++others;
      if (newest == nullptr || session.activity > newest->activity) newest = &session;
      if (!session.live && needs_count(session)) wanting.push_back(key);
    }
    if (newest == nullptr) {
      return std::unexpected(Error{Errc::kNotFound, "no session is stored yet; trace one with: mcptrace run CMD"});
    }
    if (newest->live && needs_count(*newest)) {
      // Of those that live, too: its activity is at most that of its file, which it shares.
      for (const auto& [key, session] : ledger.sessions()) {
        if (session.live && needs_count(session)) wanting.push_back(key);
      }
    }
    if (!wanting.empty()) {
      read_counts(spool, wanting, now, ledger, skips);
      continue;
    }
    Found found = found_session(spool, *newest);
    found.others = others - 1;
    return found;
  }
}

}  // namespace

Result<Found> find_session(const std::string& directory, std::string_view id, Nanos now, Skips& skips) {
  MCPTRACE_TRY(const Spool spool, open_spool(directory));
  skips.note(spool::read_expired(directory));
  Ledger ledger;
  for (std::size_t i = 0; i < spool.files.size(); ++i) read_frames(spool, i, ledger, skips);
  ledger.settle(now);
  if (id.empty()) return find_newest(spool, now, ledger, skips);
  MCPTRACE_TRY(Found found, find_by_id(spool, ledger, id, skips));
  if (found.session && needs_count(*found.session)) {
    read_counts(spool, {found.session->key}, now, ledger, skips);
    found.session = *ledger.find(found.session->key);
  }
  return found;
}

Result<TraceView> load_spans(const Found& found, Nanos now, Skips& skips) {
  SpanSelection selection;
  if (found.session) selection.session = found.session->key;
  if (!found.session || found.session->key.print == 0) selection.traces = found.traces;
  if (found.joined) selection.traces.push_back(*found.joined);
  SpanSet spans(std::move(selection));
  ledger::Entries entries;
  std::uint32_t number = 0;
  for (const std::string& path : found.paths) {
    entries.begin_file(number++, found.held.contains(path), {});
    FileReader reader(path);
    while (const auto record = reader.next()) {
      if (const auto entry = entries.read(*record)) spans.add(*entry);
    }
    skips.note(path, reader);
  }
  return std::move(spans).finish(found.session, entries.resources(), now);
}

Result<LiveSessions> live_sessions(const std::string& directory) {
  MCPTRACE_TRY(Spool spool, open_spool(directory));
  std::erase_if(spool.files, [](const FileInfo& file) { return !file.locked; });
  Ledger ledger;
  Skips skips;
  for (std::size_t i = 0; i < spool.files.size(); ++i) read_frames(spool, i, ledger, skips);
  ledger.settle({});
  LiveSessions live;
  for (const auto& [key, session] : ledger.sessions()) {
    if (!session.live) continue;
    ++live.count;
    for (const std::uint32_t file : session.files) {
      Nanos& since = live.in_use.try_emplace(spool.files[file].process, session.start).first->second;
      since = std::min(since, session.start);
    }
  }
  return live;
}

}  // namespace mcptrace::query
