#include "config/flatten.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "config/config.h"
#include "config/flat.h"

namespace mcptrace::config {
namespace {

constexpr std::size_t kMostCopies = 64;

std::optional<std::string> not_set(std::string_view) { return std::nullopt; }

Flat flat_of(const Config& config) {
  Flat flat;
  const auto said = [&](std::string_view key) {
    return std::ranges::find(config.settings, key, &Setting::key) != config.settings.end();
  };
  if (said("home")) flat.home = config.home;
  if (said("name")) flat.name = config.name;
  if (said("naming")) flat.naming = config.naming;
  if (said("inject")) flat.inject = config.inject;
  if (said("shapes")) flat.shapes = config.shapes;
  if (said("spool.size")) flat.spool_size = config.spool.size;
  if (said("spool.fsync")) flat.fsync = config.spool.fsync;
  if (said("metrics.listen")) flat.metrics_listen = config.metrics_listen;
  flat.destinations = config.destinations.size();
  flat.variables = config.variables;
  return flat;
}

FlatCopy copy_of(const std::string& file) {
  FlatCopy copy;
  copy.file = file;
  // Stamped before it is read: written meanwhile, it is read again.
  copy.stamp = stamp_of(file).value_or(FileStamp{});
  const auto config = load(not_set, file);
  if (config) {
    copy.flat = flat_of(*config);
  } else {
    copy.error = config.error().message;
    std::ranges::replace(copy.error, '\n', ' ');
  }
  return copy;
}

bool make_directories(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    if (::mkdir(path.substr(0, slash).c_str(), 0700) != 0 && errno != EEXIST) return false;
    if (slash == std::string::npos) return true;
  }
}

// There is one of each path that was ever given: the oldest go.
void remove_oldest(int directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(::dup(directory)), &::closedir);
  if (!listing) return;
  std::vector<std::pair<std::int64_t, std::string>> files;
  while (const dirent* const entry = ::readdir(listing.get())) {
    struct stat info;
    if (::fstatat(directory, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode)) {
      files.emplace_back(info.st_mtim.tv_sec, entry->d_name);
    }
  }
  if (files.size() <= kMostCopies) return;
  std::ranges::sort(files);
  for (std::size_t i = 0; i + kMostCopies < files.size(); ++i) ::unlinkat(directory, files[i].second.c_str(), 0);
}

void keep(const FlatCopy& copy, const std::string& text, const std::string& state_directory) {
  const std::string path = flat_path(state_directory, copy.file);
  const std::size_t slash = path.rfind('/');
  const std::string folder = path.substr(0, slash), name = path.substr(slash + 1), error = name + ".error";
  if (!make_directories(folder)) return;
  const UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return;
  const std::string temporary = name + "." + std::to_string(::getpid());
  const std::string& target = copy.error.empty() ? name : error;
  if (!replace_file(directory.get(), target, text, temporary)) return;
  if (copy.error.empty()) ::unlinkat(directory.get(), error.c_str(), 0);
  remove_oldest(directory.get());
}

}  // namespace

std::string flatten(const std::string& file) { return print_flat(copy_of(file)); }

std::string flatten_into(const std::string& file, const std::string& state_directory) {
  const FlatCopy copy = copy_of(file);
  std::string text = print_flat(copy);
  if (!state_directory.empty()) keep(copy, text, state_directory);
  return text;
}

}  // namespace mcptrace::config
