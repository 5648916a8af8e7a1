// Reads the spool: any number of readers, at any time, while writers append and files go.
//
//   for (const FileInfo& info : *list_files(directory)) {
//     FileReader reader(info.path);
//     while (auto record = reader.next()) use(*record);        // borrowed until the next call
//     report(reader.skipped());
//   }
// A reader never blocks a writer, takes no lock and never changes a file. It reads through pread(2), not mmap, and
// holds at most some 9 MiB (a chunk of 256 KiB where records are of usual size). Damage costs what it hit: the next
// record that checks is looked for byte by byte, in linear time (a candidate's checksum is paid from a credit of 16
// bytes for every byte read and 16 MiB to begin with; only a file made to deceive uses it up, and then loses what comes
// after). Functions and objects here may be used from any thread, an object from one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "spool/record.h"

namespace mcptrace::spool {

struct FileInfo {
  std::string path;
  std::uint64_t bytes = 0;
  Nanos created{};      // wall; from the name, so that nothing need be opened
  Nanos modified{};     // wall
  bool locked = false;  // a living process holds it
  std::string process;  // <prefix>-<pid> of who wrote it
};

// The spool's files, oldest first. Other files in the directory are passed over, and those of other users (root sees
// all). A missing directory is an empty spool.
// `is_left`: of these files it is known that their process has left them, which is final; they are not opened.
using IsLeft = std::function<bool(const std::string& name)>;
Result<std::vector<FileInfo>> list_files(const std::string& directory, const IsLeft& is_left = {});

struct Skipped {
  std::uint64_t bytes = 0;        // could not be read as records
  std::uint64_t places = 0;       // runs of such bytes
  std::uint64_t unsupported = 0;  // records or files of a newer version

  Skipped& operator+=(const Skipped& more) {
    bytes += more.bytes, places += more.places, unsupported += more.unsupported;
    return *this;
  }
};

// Which blocks may be passed over without being unpacked.
struct ReadFilter {
  std::uint32_t types = ~0u;           // bit (1 << type): wanted types
  std::optional<std::uint32_t> tag{};  // wanted tag only; records without it are not reported either
};

class FileReader {
 public:
  explicit FileReader(std::string path, ReadFilter filter = {});
  ~FileReader();
  FileReader(FileReader&&) noexcept;

  // The next record that the filter lets through; nothing at the present end of the file (call again later to go on: an
  // unfinished record at the end of a file that is still locked is not corrupt, it is not there yet). Expands blocks.
  std::optional<Record> next();
  // Why there is nothing, where the file could not be read at all.
  [[nodiscard]] const std::optional<Error>& error() const;
  [[nodiscard]] const Skipped& skipped() const;
  // Bytes up to which the file has been read: what a cursor stores. A block is passed when the last of its records was
  // given.
  [[nodiscard]] std::uint64_t position() const;
  // To what position() once said. Elsewhere it costs the records up to the next boundary, counted as skipped.
  void seek(std::uint64_t position);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

struct Removed {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t kept_locked = 0;
};
// By process (FileInfo::process): what it wrote since then belongs to something that still goes on.
using InUse = std::map<std::string, Nanos, std::less<>>;
// Deletes files that no living process holds, that are not in use, and whose last write is before `before` (wall),
// unfinished ones too. kept_locked counts those as old that are held.
Result<Removed> remove_files(const std::string& directory, Nanos before, const InUse& in_use = {});

}  // namespace mcptrace::spool
