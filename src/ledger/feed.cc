#include "ledger/feed.h"

#include <algorithm>
#include <optional>
#include <ranges>

#include "ledger/killed.h"
#include "spool/directory.h"

namespace mcptrace::ledger {
namespace {

using spool::RecordType;

// Calls are told to be open when they are for a second.
bool may_have_been_open(const Entry& entry) {
  return entry.is_root() || entry.header.has(trace::kStarted) ||
         entry.header.duration >= std::chrono::milliseconds(900);
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Nothing: it cannot be read now. One of a newer version may name it, and goes the way of all such.
std::optional<bool> names(const std::string& path, std::string_view destination, spool::Skipped& skipped) {
  spool::FileReader reader(path);
  const auto first = reader.next();
  skipped += reader.skipped();
  if (!first && reader.error()) {
    return reader.error()->code == Errc::kUnsupported ? std::optional(true) : std::nullopt;
  }
  return first && first->type == RecordType::kDestination && first->payload == destination;
}

}  // namespace

Result<Feed> Feed::open(const std::string& directory, const std::string& consumer, FeedOptions options) {
  MCPTRACE_TRY(Cursor cursor, options.peek ? Cursor::read(directory, consumer) : Cursor::open(directory, consumer));
  return Feed(directory, std::move(cursor), std::move(options));
}

// Which files there are, and who holds them. All but those that are done with are read from their beginning: what they
// say of resources and open spans is needed, whatever of their spans has been decided.
Result<> Feed::look() {
  const auto is_left = [this](const std::string& name) {
    const auto known = numbers_.find(name);
    if (known == numbers_.end()) return cursor_.place(name).closed;
    const File& file = files_.at(known->second);
    return file.there && !file.held;
  };
  MCPTRACE_TRY(const std::vector<spool::FileInfo> there, spool::list_files(directory_, is_left));
  // Of what was deleted nothing more is to come.
  for (auto& [number, file] : files_) file.held = file.there = file.found_ahead = file.read_in_round = false;
  for (const spool::FileInfo& info : there) {
    File* const file = find_or_begin(info);
    if (file == nullptr) continue;
    file->held = info.locked;
    file->there = true;
    file->grow(info);
  }
  for (auto& [number, file] : files_) note_missed(file);
  return {};
}

void Feed::note_missed(File& file) {
  if (file.there || file.missed) return;
  file.missed = true;
  const std::uint64_t read = std::max(file.position, file.told);
  if (file.read_out || file.bytes <= read) return;
  ++missed_.files;
  missed_.bytes += file.bytes - read;
}

// Null: it is done with, or has to be tried again.
Feed::File* Feed::find_or_begin(const spool::FileInfo& info) {
  const std::string name = name_of(info.path);
  if (const auto known = numbers_.find(name); known != numbers_.end()) return &files_.at(known->second);
  const Cursor::Place& place = cursor_.place(name);
  if (place.closed && place.undecided.empty()) return nullptr;
  std::optional<bool> ours = true;
  if (!options_.destination.empty()) ours = names(info.path, options_.destination, skipped_);
  if (!ours) return nullptr;
  const std::uint32_t number = next_number_++;
  numbers_.emplace(name, number);
  File& file = files_[number];
  file.path = info.path;
  file.name = name;
  file.told = place.read;
  file.was_closed = place.closed;
  file.passed_by = !*ours;
  if (*ours) file.wanted.insert(place.undecided.begin(), place.undecided.end());
  return &file;
}

// What was left open is judged by how the files were in the round before: whoever let go of one had begun its next by
// then, and says there what is still open.
Result<std::size_t> Feed::read(const Tell& tell, std::size_t most) {
  if (!in_round_) MCPTRACE_TRY_VOID(look());
  in_round_ = true;
  std::size_t told = 0;
  for (auto& [number, file] : files_) {
    if (file.passed_by) file.read_out = file.closed = !file.held;
    if (file.read_out || file.passed_by || file.read_in_round) continue;
    told += read_file(number, tell, most - told);
    if (told >= most) return told;
    file.read_in_round = true;
  }
  told += end_what_was_left(tell);
  for (auto& [number, file] : files_) file.read_out |= !file.held;
  in_round_ = false;
  std::erase_if(ended_ahead_, [this](const auto& ended) { return ended.second.round < rounds_; });
  ++rounds_;
  return told;
}

// How known files have grown, and new ones. Who holds one is judged by rounds: of a process that died all files are
// done with in the same one.
Result<> Feed::look_ahead() {
  MCPTRACE_TRY(const std::vector<spool::FileInfo> there,
               spool::list_files(directory_, [](const std::string&) { return true; }));
  for (const spool::FileInfo& info : there) {
    const std::uint32_t known = next_number_;
    File* const file = find_or_begin(info);
    if (file == nullptr) continue;
    if (next_number_ != known) file->held = file->there = file->found_ahead = true;
    file->grow(info);
  }
  return {};
}

Result<std::size_t> Feed::read_ahead(const Tell& tell, std::size_t most, bool look) {
  if (!in_round_) return 0;
  if (look) MCPTRACE_TRY_VOID(look_ahead());
  ahead_ = true;
  std::size_t told = 0;
  for (auto& [number, file] : std::ranges::reverse_view(files_)) {
    if (told < most && file.held && !file.passed_by) told += read_file(number, tell, most - told);
  }
  ahead_ = false;
  return told;
}

bool Feed::settled() const {
  return !in_round_ && std::ranges::all_of(files_, [](const auto& entry) {
    return entry.second.held || entry.second.closed || !entry.second.there;
  });
}

// Opened anew each time, as there may be more files than descriptors.
std::size_t Feed::read_file(std::uint32_t number, const Tell& tell, std::size_t most) {
  File& file = files_.at(number);
  if (file.held && file.position >= file.bytes) return 0;
  entries_.begin_file(number, file.held, file.modified);
  spool::FileReader reader(file.path);
  if (file.position != 0) reader.seek(file.position);
  std::size_t told = 0;
  while (told < most || reader.position() == file.position) {
    file.position = reader.position();
    const auto record = reader.next();
    if (!record) break;
    if (const auto entry = entries_.read(*record)) told += take(file.position, *entry, tell) ? 1 : 0;
  }
  file.position = reader.position();
  skipped_ += reader.skipped();
  return told;
}

bool Feed::take(std::uint64_t position, const Entry& entry, const Tell& tell) {
  if (entry.header.has(trace::kStarted)) {
    if (const auto starting = starting_.find(entry.header.span_id); starting != starting_.end()) {
      end_open(starting->second);
    }
  }
  if (const auto session = sessions_.find(entry.session); session != sessions_.end()) {
    session->second.last = std::max(session->second.last, end_of(entry.header));
  }
  if (entry.is_open()) {
    keep_open(position, entry);
    return false;
  }
  const bool old = position < files_.at(entry.file).told;
  if (!entry.is_span()) return tell_if_new(old, position, entry, tell);
  const bool was_open = end_open(key_of(entry.header));
  if ((ahead_ || files_.at(entry.file).found_ahead) && may_have_been_open(entry))
    ended_ahead_[key_of(entry.header)] = {entry.file, position, rounds_};
  if (entry.type == RecordType::kSpan) return tell_if_new(old, position, entry, tell);
  // A disk was full, and took no more of the root than what its session_close repeats.
  if (!was_open || entry.bytes.empty()) return false;
  Entry root = entry;
  root.type = RecordType::kSpan;
  return tell_if_new(old, position, root, tell);
}

bool Feed::tell_if_new(bool old, std::uint64_t position, const Entry& entry, const Tell& tell) {
  const SpanKey key = key_of(entry.header);
  auto& wanted = files_.at(entry.file).wanted;
  const auto again = wanted.find(key);
  if (again != wanted.end()) {
    wanted.erase(again);
  } else if (old) {
    return false;
  }
  tell(entry);
  told_.push_back({key, entry.file, position});
  return true;
}

void Feed::keep_open(std::uint64_t position, const Entry& entry) {
  const SpanKey key = key_of(entry.header);
  const auto ended = ended_ahead_.find(key);
  if (ended != ended_ahead_.end() &&
      std::pair(entry.file, position) < std::pair(ended->second.file, ended->second.position)) {
    return;
  }
  auto known = open_.find(key);
  if (known == open_.end()) {
    if (open_bytes_ + entry.bytes.size() > options_.most_open_bytes) {
      ++left_out_;
      return;
    }
    known = open_.emplace(key, Open{}).first;
    ++sessions_[entry.session].spans;
    if (entry.session.starting) starting_.emplace(entry.header.span_id, key);
  }
  Open& open = known->second;
  const bool newest = open.files.empty() || entry.file >= *open.files.rbegin();
  open.files.insert(entry.file);
  if (!newest) return;
  open_bytes_ += entry.bytes.size();
  open_bytes_ -= open.bytes.size();
  open.header = entry.header;
  open.bytes = entry.bytes;
  open.session = entry.session;
  open.resource = entry.resource;
  Nanos& last = sessions_[entry.session].last;
  last = std::max(last, end_of(entry.header));
}

// False: it was not.
bool Feed::end_open(const SpanKey& key) {
  const auto found = open_.find(key);
  if (found == open_.end()) return false;
  const SessionKey session = found->second.session;
  open_bytes_ -= found->second.bytes.size();
  if (session.starting) starting_.erase(key.span_id);
  open_.erase(found);
  if (--sessions_.at(session).spans == 0) sessions_.erase(session);
  return true;
}

// Nobody adds to any file that says it is open.
bool Feed::is_left(const Open& open) const {
  return std::ranges::all_of(open.files, [this](std::uint32_t number) {
    const auto file = files_.find(number);
    return file == files_.end() || file->second.read_out;
  });
}

std::size_t Feed::end_what_was_left(const Tell& tell) {
  std::vector<SpanKey> left;
  for (const auto& [key, open] : open_) {
    if (is_left(open)) left.push_back(key);
  }
  std::size_t told = 0;
  for (const SpanKey& key : left) {
    const Open& open = open_.at(key);
    const std::uint32_t number = *open.files.rbegin();
    const File& file = files_.at(number);
    const auto tell_end = [&](MadeSpan span) {
      end_killed(span.header, span.bytes, sessions_.at(open.session).last);
      const Entry entry{.type = RecordType::kSpan,
                        .header = span.header,
                        .bytes = span.bytes,
                        .session = open.session,
                        .resource = open.resource,
                        .file = number};
      told += tell_if_new(file.was_closed, file.position, entry, tell) ? 1 : 0;
    };
    if (auto root = missing_root(open.header)) tell_end(*std::move(root));
    tell_end({open.header, open.bytes});
    end_open(key);
  }
  for (auto& [number, file] : files_) file.closed |= file.read_out;
  return told;
}

void Feed::open_roots(const SeeRoot& see) const {
  for (const auto& [key, open] : open_) {
    if (!open.header.has(trace::kRootSpan)) continue;
    Entry entry;
    entry.resource = open.resource;
    see(open.header, open.bytes, sessions_.at(open.session).last, entries_.resource_bytes(entry));
  }
}

Result<> Feed::save(std::span<const SpanKey> undecided) {
  std::map<std::uint32_t, Cursor::Place> places;
  for (const auto& [number, file] : files_) {
    // What is open in a file that nobody holds is still to be told.
    const bool closed = file.closed || file.was_closed;
    const bool whole = (file.held || closed) && file.wanted.empty();
    places[number] = {.decided = whole ? file.position : 0,
                      .read = std::max(file.told, file.position),
                      .closed = closed,
                      .undecided = {file.wanted.begin(), file.wanted.end()}};
  }
  const std::unordered_set<SpanKey, SpanKeyHash> still(undecided.begin(), undecided.end());
  std::erase_if(told_, [&still](const Told& told) { return !still.contains(told.key); });
  for (const Told& told : told_) {
    Cursor::Place& place = places.at(told.file);
    place.decided = std::min(place.decided, told.position);
    place.undecided.push_back(told.key);
  }
  for (auto& [number, place] : places) cursor_.set(files_.at(number).name, std::move(place));
  MCPTRACE_TRY_VOID(cursor_.save());
  forget_files();
  return {};
}

// Those that are done with: nothing of them is open, wanted or undecided.
void Feed::forget_files() {
  std::set<std::uint32_t> used;
  for (const Told& told : told_) used.insert(told.file);
  for (const auto& [key, open] : open_) used.insert(open.files.begin(), open.files.end());
  std::erase_if(files_, [&](const auto& entry) {
    const auto& [number, file] = entry;
    if (!file.closed || !file.wanted.empty() || used.contains(number)) return false;
    numbers_.erase(file.name);
    entries_.forget_file(number);
    return true;
  });
}

}  // namespace mcptrace::ledger
