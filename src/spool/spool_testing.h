// What the spool's tests share: a directory that goes away, records to write, and all that a spool holds.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "spool/reader.h"
#include "spool/writer.h"

namespace mcptrace::spool {

class TempDirectory {
 public:
  TempDirectory() {
    // In memory where there is such a file system: these tests make thousands of files, and sync none.
    const std::string base =
        ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : std::filesystem::temp_directory_path().string();
    std::string name = base + "/spool-test-XXXXXX";
    path_ = ::mkdtemp(name.data()) != nullptr ? name : "";
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string spool() const { return path_ + "/state/spool"; }

 private:
  std::string path_;
};

// A record that owns its payload, for lists.
struct Kept {
  RecordType type = RecordType::kSpan;
  std::uint32_t tag = 0;
  std::string payload;
  bool operator==(const Kept&) const = default;
};

inline std::vector<Kept> rest_of(FileReader& reader) {
  std::vector<Kept> records;
  while (const auto record = reader.next())
    records.push_back({record->type, record->tag, std::string(record->payload)});
  return records;
}

inline std::vector<Kept> records_of(const std::string& path, ReadFilter filter = {}) {
  FileReader reader(path, filter);
  auto records = rest_of(reader);
  EXPECT_FALSE(reader.error()) << reader.error()->message;
  EXPECT_EQ(reader.skipped().bytes, 0u) << path;
  return records;
}

inline std::vector<FileInfo> files_of(const std::string& directory) {
  auto files = list_files(directory);
  EXPECT_TRUE(files) << files.error().message;
  return files ? *files : std::vector<FileInfo>();
}

inline std::vector<Kept> all_records(const std::string& directory) {
  std::vector<Kept> all;
  for (const FileInfo& file : files_of(directory)) {
    for (Kept& record : records_of(file.path)) all.push_back(std::move(record));
  }
  return all;
}

inline std::string bytes_of(const std::string& path) { return read_file(path, 64u << 20).value(); }

inline void overwrite(const std::string& path, std::string_view bytes) {
  ::unlink(path.c_str());  // file systems flush what is truncated and written anew
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  ASSERT_TRUE(write_all(fd.get(), bytes));
}

inline std::string name_of(const std::string& path) { return std::filesystem::path(path).filename().string(); }

}  // namespace mcptrace::spool
