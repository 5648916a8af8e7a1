// What `run` and `proxy` need of the configuration file, as lines of text in the state directory: they link no YAML.
// The backend makes the copy, anew when the file was written. A copy of a file that is broken says what is
// wrong with it, and lies beside the last good one.
//
//   <state directory>/config/<16 hexadecimal digits of the file's path>          and the same with ".error"
//
//   mcptrace-config 1 0.1.0
//   file=/home/me/.config/mcptrace/mcptrace.yaml
//   stamp=<size> <mtime in ns> <inode>
//   naming=both                    (only what the file says)
//   destinations=2
//   variable=HONEYCOMB_API_KEY     (each that it names by env:)
//   end
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/locate.h"

namespace mcptrace::config {

struct Flat {
  std::optional<std::string> home, name, naming, inject, fsync, metrics_listen;
  std::optional<bool> shapes;
  std::optional<std::size_t> spool_size;
  std::size_t destinations = 0;
  std::vector<std::string> variables;
};

struct FlatCopy {
  std::string file;
  FileStamp stamp;
  std::string error;  // why the file is of no use; empty: `flat` is what it says
  Flat flat;
};

std::string print_flat(const FlatCopy& copy);
// Nothing: cut off, or of another version of mcptrace.
std::optional<FlatCopy> parse_flat(std::string_view text);
std::string flat_path(const std::string& state_directory, std::string_view file);

// Makes the copy anew and gives its text, or that of the error. Nothing: that could not be done in time.
using Flatten = std::function<std::optional<std::string>(const std::string& file, const std::string& state_directory)>;

struct FlatReading {
  Flat flat;
  std::string warning{};  // a sentence; empty: this is what the file says
  bool late = false;      // because the copy was not made in time: soon it will be
};
// Of a broken file, or one that cannot be read now, the last good copy, else nothing. `state_directory`: as it is
// without the file's `home`; empty: unknown, then nothing is kept.
FlatReading read_flat(const FoundFile& file, const std::string& state_directory, const Flatten& flatten);

// The same for a process that lives long and reads no YAML. One thread.
class FlatSource {
 public:
  FlatSource(Search search, std::string state_directory, Flatten flatten);

  // Since the last read(): another file is found now, or it was written. A few stat(2).
  [[nodiscard]] bool changed() const;
  FlatReading read();

 private:
  Search search_;
  std::string state_directory_;
  Flatten flatten_;
  std::string path_;
  std::optional<FileStamp> stamp_;
};

}  // namespace mcptrace::config
