// The file: lines of "<file name> <decided> <read> <closed, 0 or 1>", and behind it each undecided span's trace id and
// span id, 48 hexadecimal digits.
#include "ledger/cursor.h"

#include <algorithm>

#include "base/fd.h"
#include "base/text.h"
#include "spool/cursor.h"
#include "spool/directory.h"

namespace mcptrace::ledger {
namespace {

constexpr std::size_t kMostBytes = 64u << 20;

bool take_key(std::string_view& line, SpanKey& key) {
  const std::string_view word = take_until(line, ' ');
  return word.size() == 48 && parse_hex(word.substr(0, 32), key.trace_id.bytes) &&
         parse_hex(word.substr(32), key.span_id.bytes);
}

bool parse_place(std::string_view line, Cursor::Place& place) {
  const auto decided = parse_number<std::uint64_t>(take_until(line, ' '));
  const auto read = parse_number<std::uint64_t>(take_until(line, ' '));
  const auto closed = parse_number<std::uint64_t>(take_until(line, ' '));
  if (!decided || !read || !closed) return false;
  place = {.decided = *decided, .read = *read, .closed = *closed != 0, .undecided = {}};
  while (!line.empty()) {
    if (!take_key(line, place.undecided.emplace_back())) return false;
  }
  return true;
}

void append_line(const std::string& file, const Cursor::Place& place, std::string& text) {
  text.append(file).append(" ").append(std::to_string(place.decided)).append(" ").append(std::to_string(place.read));
  text += place.closed ? " 1" : " 0";
  for (const SpanKey& key : place.undecided) text.append(" ").append(key.trace_id.hex()).append(key.span_id.hex());
  text += "\n";
}

}  // namespace

Result<Cursor> Cursor::read(const std::string& directory, const std::string& name) {
  if (!spool::is_cursor_name(name)) {
    return std::unexpected(
        Error{Errc::kInvalidArgument, "a cursor's name is of letters, digits, - and _, not '" + name + "'"});
  }
  Cursor cursor(directory, name);
  const auto text = read_file(spool::cursors_of(directory) + "/" + name, kMostBytes);
  std::string_view rest = text ? std::string_view(*text) : std::string_view();
  while (!rest.empty()) {
    std::string_view line = take_until(rest, '\n');
    const std::string_view file = take_until(line, ' ');
    Place place;
    if (spool::parse_name(file) && parse_place(line, place)) cursor.set(std::string(file), std::move(place));
  }
  return cursor;
}

Result<Cursor> Cursor::open(const std::string& directory, const std::string& name) {
  MCPTRACE_TRY(Cursor cursor, read(directory, name));
  MCPTRACE_TRY(const UniqueFd made, spool::make_directory(directory));
  MCPTRACE_TRY(const UniqueFd cursors, spool::make_directory(spool::cursors_of(directory)));
  MCPTRACE_TRY_VOID(cursor.save());
  return cursor;
}

const Cursor::Place& Cursor::place(const std::string& file) const {
  static const Place kNone;
  const auto found = places_.find(file);
  return found == places_.end() ? kNone : found->second;
}

Result<> Cursor::save() {
  MCPTRACE_TRY(const UniqueFd spool, spool::make_directory(directory_));
  MCPTRACE_TRY(const std::vector<spool::Entry> there, spool::list_entries(spool.get(), spool::kSuffix));
  std::erase_if(places_, [&](const auto& place) {
    return std::ranges::find(there, place.first, &spool::Entry::name) == there.end();
  });
  std::string text;
  for (const auto& [file, place] : places_) append_line(file, place, text);
  const std::string directory = spool::cursors_of(directory_);
  MCPTRACE_TRY(const UniqueFd cursors, spool::make_directory(directory));
  Result<> saved = replace_file(cursors.get(), name_, text, name_ + ".tmp");
  if (!saved) return std::unexpected(std::move(saved).error().with_context(directory + "/" + name_));
  return {};
}

}  // namespace mcptrace::ledger
