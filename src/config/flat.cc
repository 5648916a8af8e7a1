#include "config/flat.h"

#include <cerrno>
#include <cstring>

#include "base/fd.h"
#include "base/keyed_hash.h"
#include "base/text.h"

namespace mcptrace::config {
namespace {

constexpr std::string_view kFirst = "mcptrace-config 1 " MCPTRACE_VERSION, kLast = "end";
constexpr std::size_t kMostBytes = 256 << 10;

std::uint64_t path_hash(std::string_view text) {  // FNV-1a: it is written, and stays the same
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto parsed = parse_number<Number>(text);
  if (parsed) number = *parsed;
  return parsed.has_value();
}

bool read_stamp(std::string_view text, FileStamp& stamp) {
  const std::string_view size = take_until(text, ' '), mtime = take_until(text, ' ');
  return read_number(size, stamp.size) && read_number(mtime, stamp.mtime_ns) && read_number(text, stamp.inode);
}

// False: not as we write it. What a later version may add is passed over.
bool read_line(std::string_view key, std::string_view value, FlatCopy& copy) {
  Flat& flat = copy.flat;
  if (key == "file") copy.file = value;
  if (key == "stamp") return read_stamp(value, copy.stamp);
  if (key == "error") copy.error = value;
  if (key == "home") flat.home = value;
  if (key == "name") flat.name = value;
  if (key == "naming") flat.naming = value;
  if (key == "inject") flat.inject = value;
  if (key == "spool.fsync") flat.fsync = value;
  if (key == "metrics.listen") flat.metrics_listen = value;
  if (key == "shapes") flat.shapes = value == "true";
  if (key == "spool.size") return read_number(value, flat.spool_size.emplace());
  if (key == "destinations") return read_number(value, flat.destinations);
  if (key == "variable") flat.variables.emplace_back(value);
  return true;
}

// Of this file, whatever its content.
std::optional<FlatCopy> read_copy(const std::string& path, const std::string& file) {
  const auto text = read_file(path, kMostBytes);
  if (!text) return std::nullopt;
  auto copy = parse_flat(*text);
  return copy && copy->file == file ? copy : std::nullopt;
}

FlatReading from(std::optional<FlatCopy> good, const std::string& why) {
  const char* const instead = good ? "its last good copy holds" : "defaults hold";
  return {.flat = good ? std::move(good->flat) : Flat{},
          .warning = std::string(instead) + " instead of the configuration file: " + why};
}

}  // namespace

std::string print_flat(const FlatCopy& copy) {
  std::string text(kFirst);
  const auto line = [&](std::string_view key, std::string_view value) {
    text.append("\n").append(key).append("=").append(value);
  };
  const auto optional = [&](std::string_view key, const std::optional<std::string>& value) {
    if (value) line(key, *value);
  };
  const Flat& flat = copy.flat;
  line("file", copy.file);
  line("stamp", std::to_string(copy.stamp.size) + " " + std::to_string(copy.stamp.mtime_ns) + " " +
                    std::to_string(copy.stamp.inode));
  if (!copy.error.empty()) line("error", copy.error);
  optional("home", flat.home);
  optional("name", flat.name);
  optional("naming", flat.naming);
  optional("inject", flat.inject);
  optional("spool.fsync", flat.fsync);
  optional("metrics.listen", flat.metrics_listen);
  if (flat.shapes) line("shapes", *flat.shapes ? "true" : "false");
  if (flat.spool_size) line("spool.size", std::to_string(*flat.spool_size));
  line("destinations", std::to_string(flat.destinations));
  for (const std::string& variable : flat.variables) line("variable", variable);
  return text.append("\n").append(kLast).append("\n");
}

std::optional<FlatCopy> parse_flat(std::string_view text) {
  FlatCopy copy;
  if (take_until(text, '\n') != kFirst) return std::nullopt;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    if (line == kLast) return copy;
    const std::string_view key = take_until(line, '=');
    if (!read_line(key, line, copy)) return std::nullopt;
  }
  return std::nullopt;
}

std::string flat_path(const std::string& state_directory, std::string_view file) {
  return state_directory + "/config/" + hex64(path_hash(file));
}

FlatReading read_flat(const FoundFile& file, const std::string& state_directory, const Flatten& flatten) {
  if (file.path.empty()) return {};
  const std::string path = flat_path(state_directory, file.path);
  auto good = state_directory.empty() ? std::nullopt : read_copy(path, file.path);
  const auto stamp = stamp_of(file.path);
  if (!stamp) return from(std::move(good), file.path + " cannot be read: " + std::strerror(errno));
  if (good && good->stamp == *stamp) return {.flat = std::move(good->flat)};
  auto bad = state_directory.empty() ? std::nullopt : read_copy(path + ".error", file.path);
  if (!bad || bad->stamp != *stamp) {
    const auto text = flatten ? flatten(file.path, state_directory) : std::nullopt;
    auto renewed = text ? parse_flat(*text) : std::nullopt;
    if (!renewed || renewed->file != file.path) {
      FlatReading reading = from(std::move(good), file.path + " was not read in time by mcptrace-backend");
      reading.late = true;
      return reading;
    }
    if (renewed->error.empty()) return {.flat = std::move(renewed->flat)};
    bad = std::move(renewed);
  }
  return from(std::move(good), bad->error);
}

FlatSource::FlatSource(Search search, std::string state_directory, Flatten flatten)
    : search_(std::move(search)), state_directory_(std::move(state_directory)), flatten_(std::move(flatten)) {}

bool FlatSource::changed() const {
  const std::string path = find_file(search_).path;
  return path != path_ || (!path.empty() && stamp_of(path) != stamp_);
}

FlatReading FlatSource::read() {
  const FoundFile file = find_file(search_);
  path_ = file.path;
  stamp_ = path_.empty() ? std::nullopt : stamp_of(path_);
  FlatReading reading = read_flat(file, state_directory_, flatten_);
  if (reading.late) stamp_.reset();  // so that it is asked for again
  return reading;
}

}  // namespace mcptrace::config
