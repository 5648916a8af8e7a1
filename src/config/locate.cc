#include "config/locate.h"

#include <sys/stat.h>

namespace mcptrace::config {
std::optional<FileStamp> stamp_of(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return FileStamp{info.st_size, info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec, info.st_ino};
}

FoundFile find_file(const Search& search) {
  std::string named = search.given.empty() ? value_of(search.environment, "MCPTRACE_CONFIG") : search.given;
  if (named == kNoFile) return {{}, true};
  if (!named.empty()) return {std::move(named), true};
  const std::string xdg = value_of(search.environment, "XDG_CONFIG_HOME");
  const std::string places[] = {
      search.home.empty() ? "" : search.home + "/.config/mcptrace/mcptrace.yaml",
      // A relative one is passed over, as its specification wants.
      xdg.starts_with('/') ? xdg + "/mcptrace/mcptrace.yaml" : "",
      search.system,
  };
  for (const std::string& place : places) {
    if (!place.empty() && stamp_of(place)) return {place, false};
  }
  return {};
}

std::string given_for(const FoundFile& file) {
  if (!file.named) return {};
  return file.path.empty() ? std::string(kNoFile) : file.path;
}

}  // namespace mcptrace::config
