#include "spool/reader.h"

#include <unistd.h>

#include "spool/directory.h"

namespace mcptrace::spool {
namespace {

// Counts what it deletes. `wanted` is asked again once nobody holds the file any more: until then it may grow, and what
// its process wrote last may be unread.
template <class Wanted>
Removed remove_unlocked(int directory, std::vector<Entry> entries, Wanted wanted) {
  Removed removed;
  for (Entry& entry : entries) {
    if (!wanted(entry)) continue;
    const UniqueFd fd = open_for_reading(directory, entry.name.c_str());
    if (!fd.valid()) continue;
    if (is_locked(fd.get())) {
      ++removed.kept_locked;
      continue;
    }
    if (!look_again(fd.get(), entry) || !wanted(entry)) continue;
    if (::unlinkat(directory, entry.name.c_str(), 0) != 0) continue;
    ++removed.files;
    removed.bytes += entry.bytes;
  }
  return removed;
}

}  // namespace

Result<std::vector<FileInfo>> list_files(const std::string& directory, const IsLeft& is_left) {
  std::vector<FileInfo> files;
  MCPTRACE_TRY(const UniqueFd spool, open_directory(directory, Use::kRead));
  if (!spool.valid()) return files;
  MCPTRACE_TRY(const std::vector<Entry> entries, list_entries(spool.get(), kSuffix));
  files.reserve(entries.size());
  for (const Entry& entry : entries) {
    const auto locked = is_left && is_left(entry.name) ? std::optional(false) : is_locked(spool.get(), entry.name);
    if (!locked) continue;  // gone meanwhile
    const FileName name = *parse_name(entry.name);
    files.push_back({.path = directory + "/" + entry.name,
                     .bytes = entry.bytes,
                     .created = name.created,
                     .modified = entry.modified,
                     .locked = *locked,
                     .process = std::string(name.process)});
  }
  return files;
}

Result<Removed> remove_files(const std::string& directory, Nanos before, const InUse& in_use) {
  Removed removed;
  MCPTRACE_TRY(const UniqueFd spool, open_directory(directory, Use::kWrite));
  if (!spool.valid()) return removed;
  for (const std::string_view suffix : {kSuffix, kTemporarySuffix}) {
    MCPTRACE_TRY(const std::vector<Entry> entries, list_entries(spool.get(), suffix));
    const auto old = [&](const Entry& entry) {
      if (entry.modified >= before) return false;
      const auto name = parse_name(entry.name, suffix);
      const auto used = name ? in_use.find(name->process) : in_use.end();
      return used == in_use.end() || entry.modified < used->second;
    };
    const Removed some = remove_unlocked(spool.get(), entries, old);
    removed.files += some.files;
    removed.bytes += some.bytes;
    removed.kept_locked += some.kept_locked;
  }
  return removed;
}

}  // namespace mcptrace::spool
