#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/fd.h"
#include "spool/block.h"
#include "spool/directory.h"
#include "spool/layout.h"
#include "spool/reader.h"
#include "spool/window.h"

namespace mcptrace::spool {
namespace {

// What looking for the next record after damage may cost, in bytes put through the checksum.
constexpr std::uint64_t kCreditAtStart = 16u << 20;
constexpr std::uint64_t kCreditPerByte = 16;

}  // namespace

class FileReader::Impl {
 public:
  Impl(std::string path, ReadFilter filter);

  std::optional<Record> next();
  void seek(std::uint64_t position);

  std::optional<Error> error_;
  Skipped skipped_;
  std::uint64_t position_ = 0;

 private:
  enum class Step : std::uint8_t { kRecord, kPassed, kNothing };

  struct Seen {
    bool part = false;  // less than a record is there
    RecordHeader header{};
    std::optional<std::string_view> record{};  // where it is whole and right
  };

  bool read_header();
  Seen look();
  Step step(Record& record);
  Step open_block(Record& record, std::string_view payload, std::uint64_t end);
  bool next_in_block(Record& record);
  Step at_tail();
  Step search();
  // The record at `offset` if it is whole and its checksum right; looks at the credit.
  std::optional<std::string_view> checked(std::uint64_t offset, const RecordHeader& header);
  void pass(std::uint64_t to);
  void skip(std::uint64_t to);
  // True once only, when the file's process is found to be gone: what is in the file now is all.
  bool found_dead();
  [[nodiscard]] std::uint64_t file_size() const;
  [[nodiscard]] bool wants(std::uint8_t type, std::uint32_t tag) const {
    return (filter_.types >> type & 1) != 0 && (!filter_.tag || *filter_.tag == tag);
  }

  const ReadFilter filter_;
  UniqueFd fd_;
  Window window_;
  BlockDecoder decoder_;
  std::uint32_t salt_ = 0;  // of the name, until the header is known
  bool header_read_ = false;
  bool dead_ = false;       // nobody will write to it again
  bool searching_ = false;  // position_ is within damage, already counted as a place
  std::uint64_t credit_ = kCreditAtStart;
  std::string_view block_;  // records not yet given
  std::uint64_t block_end_ = 0;
};

FileReader::Impl::Impl(std::string path, ReadFilter filter) : filter_(filter) {
  const std::size_t slash = path.rfind('/');
  if (const auto name = parse_name(std::string_view(path).substr(slash == std::string::npos ? 0 : slash + 1))) {
    salt_ = name->salt;
  }
  fd_ = open_for_reading(AT_FDCWD, path.c_str());
  if (!fd_.valid()) {
    error_ = errno_error("opening " + path, errno);
    if (errno == ENOENT) error_->code = Errc::kNotFound;
    return;
  }
  struct stat status;
  if (::fstat(fd_.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    error_ = Error{Errc::kInvalidArgument, path + " is not a regular file"};
  }
}

std::uint64_t FileReader::Impl::file_size() const {
  struct stat status;
  return ::fstat(fd_.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

bool FileReader::Impl::found_dead() {
  if (dead_) return false;
  dead_ = !is_locked(fd_.get());
  window_.forget();
  return dead_;
}

void FileReader::Impl::pass(std::uint64_t to) {
  credit_ += (to - position_) * kCreditPerByte;
  position_ = to;
}

void FileReader::Impl::skip(std::uint64_t to) {
  if (to == position_) return;
  if (!searching_) ++skipped_.places;
  searching_ = true;
  skipped_.bytes += to - position_;
  pass(to);
}

std::optional<Record> FileReader::Impl::next() {
  if (error_) return std::nullopt;
  Record record;
  if (!block_.empty() && next_in_block(record)) return record;
  if (searching_) credit_ = std::max(credit_, kCreditAtStart);  // a caller that comes again pays for its own visits
  Step done = header_read_ || read_header() ? Step::kPassed : Step::kNothing;
  while (done == Step::kPassed) done = searching_ ? search() : step(record);
  if (done == Step::kRecord) return record;
  window_.forget();
  if (window_.error() != 0) error_ = errno_error("reading a spool file", window_.error());
  return std::nullopt;
}

// False: no header yet, or one of a newer version.
bool FileReader::Impl::read_header() {
  std::string_view bytes = window_.view(fd_.get(), 0, kFileHeaderBytes);
  if (bytes.size() < kFileHeaderBytes) {
    if (!dead_ && !found_dead()) return false;
    bytes = window_.view(fd_.get(), 0, kFileHeaderBytes);
  }
  header_read_ = true;
  if (bytes.size() < kFileHeaderBytes) return true;
  const auto header = decode_file_header(bytes);
  if (!header) return true;  // damaged: the name has the salt, and records are looked for from the start
  if (header->version != kVersion) {
    ++skipped_.unsupported;
    error_ = Error{Errc::kUnsupported, "a spool file of version " + std::to_string(header->version) +
                                           "; this program reads version " + std::to_string(kVersion)};
    return false;
  }
  salt_ = header->salt;
  if (position_ < header->size) position_ = std::min<std::uint64_t>(header->size, file_size());
  return true;
}

// What lies at position_.
FileReader::Impl::Seen FileReader::Impl::look() {
  std::string_view at = window_.view(fd_.get(), position_, kRecordHeaderBytes);
  if (at.size() < kRecordHeaderBytes) return {.part = true};
  auto header = decode_record_header(at.data());
  if (!header) return {};
  at = window_.view(fd_.get(), position_, header->record_size());
  if (at.size() < header->record_size()) return {.part = true};
  header = decode_record_header(at.data());  // this may have been read afresh
  if (!header) return {};
  return {.header = *header, .record = checked(position_, *header)};
}

// One record from position_: given, or passed over.
FileReader::Impl::Step FileReader::Impl::step(Record& record) {
  Seen seen = look();
  if (!seen.record && !dead_) {
    // Half a record may have been cut off and replaced since we read it; or the process has written more and gone.
    static_cast<void>(found_dead());
    seen = look();
  }
  if (seen.part) return at_tail();
  if (!seen.record) return search();
  const RecordHeader& header = seen.header;
  const std::uint64_t end = position_ + header.record_size();
  const std::string_view payload = seen.record->substr(kRecordHeaderBytes);
  if (header.type == static_cast<std::uint8_t>(RecordType::kBlock)) return open_block(record, payload, end);
  pass(end);
  if (header.type > kLastKnownType) {
    ++skipped_.unsupported;
    return Step::kPassed;
  }
  if (!wants(header.type, header.tag)) return Step::kPassed;
  record = {.type = static_cast<RecordType>(header.type), .tag = header.tag, .payload = payload};
  return Step::kRecord;
}

FileReader::Impl::Step FileReader::Impl::open_block(Record& record, std::string_view payload, std::uint64_t end) {
  const auto header = decode_block_header(payload);
  const bool wanted =
      header && (header->types & filter_.types) != 0 && (!filter_.tag || may_hold_tag(*header, *filter_.tag));
  if (header && !wanted) {
    pass(end);
    return Step::kPassed;
  }
  const auto records = header ? decoder_.expand(*header) : std::nullopt;
  if (!records) {
    // Its checksum is right, so what follows it is where it should be.
    skip(end);
    searching_ = false;
    return Step::kPassed;
  }
  block_ = *records;
  block_end_ = end;
  if (block_.empty()) pass(end);
  return next_in_block(record) ? Step::kRecord : Step::kPassed;
}

bool FileReader::Impl::next_in_block(Record& record) {
  while (!block_.empty()) {
    const RecordHeader header = *decode_record_header(block_.data());  // the decoder saw that they are well formed
    const std::string_view payload = block_.substr(kRecordHeaderBytes, header.payload_size);
    block_.remove_prefix(header.record_size());
    if (block_.empty()) pass(block_end_);
    if (header.type > kLastKnownType) {
      ++skipped_.unsupported;
    } else if (wants(header.type, header.tag)) {
      record = {.type = static_cast<RecordType>(header.type), .tag = header.tag, .payload = payload};
      return true;
    }
  }
  return false;
}

// Less than a record is left. While the file's process lives it may still come.
FileReader::Impl::Step FileReader::Impl::at_tail() {
  if (window_.error() != 0) return Step::kNothing;
  if (!dead_ || position_ >= file_size()) return Step::kNothing;
  return search();
}

std::optional<std::string_view> FileReader::Impl::checked(std::uint64_t offset, const RecordHeader& header) {
  const std::size_t size = header.record_size();
  if (credit_ < size) return std::nullopt;
  const std::string_view record = window_.view(fd_.get(), offset, size).substr(0, size);
  if (record.size() < size) return std::nullopt;
  credit_ -= size;
  if (record_crc(record, salt_) != header.crc) return std::nullopt;
  return record;
}

// From position_ (which is no record, or where an earlier search stopped) to the next record that checks.
FileReader::Impl::Step FileReader::Impl::search() {
  const std::uint64_t end = file_size();
  std::optional<std::uint64_t> unfinished;  // the first that looks like a record and is not all here
  std::uint64_t at = position_ + (searching_ ? 0 : 1);
  while (at + kRecordHeaderBytes <= end) {
    const std::string_view bytes = window_.view(fd_.get(), at, kRecordHeaderBytes);
    if (bytes.size() < kRecordHeaderBytes) break;
    std::size_t in = 0;
    std::optional<RecordHeader> header;
    for (; in + kRecordHeaderBytes <= bytes.size(); ++in) {
      header = decode_record_header(bytes.data() + in);
      if (header) break;
    }
    at += in;
    if (!header) continue;
    if (at + header->record_size() > end) {
      if (!unfinished) unfinished = at;
    } else if (checked(at, *header)) {
      skip(at);
      searching_ = false;
      return Step::kPassed;
    }
    ++at;
  }
  if (window_.error() != 0) return Step::kNothing;
  if (found_dead()) return Step::kPassed;
  if (dead_) {
    skip(std::max(end, position_));
    searching_ = false;
    return Step::kNothing;
  }
  skip(std::max(position_ + (searching_ ? 0 : 1), std::min(unfinished.value_or(end), std::min(at, end))));
  return Step::kNothing;
}

void FileReader::Impl::seek(std::uint64_t position) {
  position_ = position;
  block_ = {};
  searching_ = false;
  header_read_ = false;
  window_.forget();
}

FileReader::FileReader(std::string path, ReadFilter filter) : impl_(std::make_unique<Impl>(std::move(path), filter)) {}
FileReader::~FileReader() = default;
FileReader::FileReader(FileReader&&) noexcept = default;

std::optional<Record> FileReader::next() { return impl_->next(); }
const std::optional<Error>& FileReader::error() const { return impl_->error_; }
const Skipped& FileReader::skipped() const { return impl_->skipped_; }
std::uint64_t FileReader::position() const { return impl_->position_; }
void FileReader::seek(std::uint64_t position) { impl_->seek(position); }

}  // namespace mcptrace::spool
