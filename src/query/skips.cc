#include "query/skips.h"

#include <algorithm>

#include "query/text.h"

namespace mcptrace::query {

void Skips::note(const std::string& path, const spool::FileReader& reader) {
  const spool::Skipped& skipped = reader.skipped();
  if (reader.error() && reader.error()->code != Errc::kUnsupported && reader.error()->code != Errc::kNotFound) {
    unreadable_[path] = reader.error()->message;
  }
  if (skipped.places == 0 && skipped.unsupported == 0) return;
  spool::Skipped& known = skipped_[path];
  known.places = std::max(known.places, skipped.places);
  known.bytes = std::max(known.bytes, skipped.bytes);
  known.unsupported = std::max(known.unsupported, skipped.unsupported);
}

std::vector<std::string> Skips::lines() const {
  std::uint64_t files = 0, places = 0, bytes = 0, unsupported = 0;
  for (const auto& [path, skipped] : skipped_) {
    files += skipped.places != 0;
    places += skipped.places;
    bytes += skipped.bytes;
    unsupported += skipped.unsupported;
  }
  std::vector<std::string> lines;
  if (places != 0) {
    lines.push_back(format_count(places, "damaged place") + " (" + format_bytes(bytes) + ") in " +
                    format_count(files, "file") + (places == 1 ? " was" : " were") + " passed over");
  }
  if (unsupported != 0) {
    lines.push_back(format_count(unsupported, "file or record")
                        .append(unsupported == 1 ? " of a newer version was" : " of a newer version were") +
                    " passed over");
  }
  for (const auto& [path, why] : unreadable_) lines.push_back(display(why));
  if (expired_.files != 0) {
    lines.push_back("of what was traced before, " + format_count(expired_.files, "file") + " (" +
                    format_bytes(expired_.bytes) + ")" + (expired_.files == 1 ? " was" : " were") +
                    " deleted to make room");
  }
  return lines;
}

}  // namespace mcptrace::query
