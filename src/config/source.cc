#include "config/source.h"

#include <algorithm>

#include "config/options.h"

namespace mcptrace::config {
namespace {

constexpr std::string_view kFile = "file:";

}  // namespace

Source::Source(Search search, std::vector<Given> flags) : search_(std::move(search)), flags_(std::move(flags)) {}

bool Source::changed() const {
  const std::string path = find_file(search_).path;
  if (path != path_ || (!path.empty() && stamp_of(path) != stamp_)) return true;
  return std::ranges::any_of(secrets_, [](const auto& secret) { return stamp_of(secret.first) != secret.second; });
}

Result<Config> Source::reload() {
  path_ = find_file(search_).path;
  stamp_ = path_.empty() ? std::nullopt : stamp_of(path_);
  // Those of the old configuration, too: it holds where the new one is broken.
  for (auto& [file, stamp] : secrets_) stamp = stamp_of(file);
  MCPTRACE_TRY(Config config, load(search_.environment, path_, flags_));
  Stamps secrets;
  for (const Setting& setting : config.settings) {
    const bool refers = setting.option->type == Type::kReference || setting.option->type == Type::kHeader;
    if (!refers || !setting.text.starts_with(kFile)) continue;
    const std::string file = setting.text.substr(kFile.size());
    secrets.emplace_back(file, stamp_of(file));
  }
  secrets_ = std::move(secrets);
  return config;
}

}  // namespace mcptrace::config
