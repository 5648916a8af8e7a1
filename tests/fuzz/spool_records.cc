// Any bytes as a spool file, as they are and with their checksums put right (so that what lies behind those is
// reached): reading ends, passes over no more than there is, and with a filter gives exactly what the filter lets
// through.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "spool/crc32c.h"
#include "spool/layout.h"
#include "spool/reader.h"

namespace {

using mcptrace::spool::FileReader;
using mcptrace::spool::ReadFilter;
using mcptrace::spool::Record;
namespace spool = mcptrace::spool;

void require(bool holds) {
  if (!holds) std::abort();
}

// A file of its own, gone with the process; in memory where that can be.
class ScratchFile {
 public:
  ScratchFile() {
    const std::string base =
        ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : std::filesystem::temp_directory_path().string();
    path_ = base + "/fuzz-spool-XXXXXX";
    fd_ = ::mkostemp(path_.data(), O_CLOEXEC);
    require(fd_ >= 0);
  }
  ~ScratchFile() { ::unlink(path_.c_str()); }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  const std::string& fill(std::string_view bytes) {
    require(::ftruncate(fd_, 0) == 0);
    require(::pwrite(fd_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    return path_;
  }

 private:
  std::string path_;
  int fd_ = -1;
};

struct Seen {
  int type;
  std::uint32_t tag;
  std::string payload;
  bool operator==(const Seen&) const = default;
};

std::vector<Seen> read_all(const std::string& path, std::size_t size, ReadFilter filter) {
  std::vector<Seen> seen;
  FileReader reader(path, filter);
  std::uint64_t position = 0;
  while (const auto record = reader.next()) {
    seen.push_back({static_cast<int>(record->type), record->tag, std::string(record->payload)});
    require(reader.position() >= position);
    position = reader.position();
  }
  require(!reader.next());
  require(reader.skipped().bytes <= size);
  require(reader.skipped().places <= reader.skipped().bytes);
  require(reader.error() || reader.position() == size);
  return seen;
}

void check(const std::string& path, std::size_t size) {
  const std::vector<Seen> all = read_all(path, size, {});
  const std::uint32_t tag = all.empty() ? 1 : all[all.size() / 2].tag;
  for (const ReadFilter& filter :
       {ReadFilter{.types = 1u << 4}, ReadFilter{.tag = tag}, ReadFilter{.types = 10, .tag = tag}}) {
    std::vector<Seen> expected;
    for (const Seen& record : all) {
      if ((filter.types >> record.type & 1) != 0 && (!filter.tag || *filter.tag == record.tag))
        expected.push_back(record);
    }
    const std::vector<Seen> found = read_all(path, size, filter);
    // A block may lie about what it holds; then a filter may pass over it. What it gives is there in any case.
    for (const Seen& record : found) require(std::find(expected.begin(), expected.end(), record) != expected.end());
  }
}

// The checksums of the header and of every record that starts where one should.
std::string put_right(std::string bytes) {
  if (bytes.size() < spool::kFileHeaderBytes) return bytes;
  spool::store32(bytes.data() + 28, spool::crc32c(std::string_view(bytes).substr(0, 28)));
  const std::uint32_t salt = spool::load32(bytes.data() + 24);
  for (std::size_t at = spool::kFileHeaderBytes; at + spool::kRecordHeaderBytes <= bytes.size();) {
    const auto header = spool::decode_record_header(bytes.data() + at);
    if (!header || at + header->record_size() > bytes.size()) break;
    spool::seal_record(bytes.data() + at, header->record_size(), salt);
    at += header->record_size();
  }
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static ScratchFile file;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(file.fill(bytes), size);
  check(file.fill(put_right(std::string(bytes))), size);
  return 0;
}
