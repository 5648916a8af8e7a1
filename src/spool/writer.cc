#include "spool/writer.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>

#include "spool/directory.h"
#include "spool/expiry.h"

namespace mcptrace::spool {
namespace {

constexpr Nanos kRetryAfter = std::chrono::seconds(1);
constexpr Nanos kLookAfter = std::chrono::seconds(1);
constexpr int kStartAttempts = 3;
constexpr std::uint64_t kDiskBlock = 4096;
constexpr std::uint64_t kNoEnd = ~std::uint64_t{0};  // of the room that is kept: none can be, so none is asked for

std::uint64_t file_size_limit() {
  rlimit limit;
  return ::getrlimit(RLIMIT_FSIZE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

std::string temporary_of(const std::string& name) {
  return name.substr(0, name.size() - kSuffix.size()).append(kTemporarySuffix);
}

// By errno; kNotFound where a name on the way is gone.
Error system_error(const std::string& what) {
  const int number = errno;
  Error error = errno_error(what, number);
  if (number == ENOENT) error.code = Errc::kNotFound;
  return error;
}

struct Wrote {
  std::size_t bytes = 0;
  int error = 0;
};

Wrote write_some(FileCalls& calls, int fd, std::string_view bytes) {
  Wrote wrote;
  while (wrote.bytes < bytes.size()) {
    const ssize_t now = calls.write(fd, bytes.data() + wrote.bytes, bytes.size() - wrote.bytes);
    if (now > 0) {
      wrote.bytes += static_cast<std::size_t>(now);
    } else if (now == 0 || errno != EINTR) {
      wrote.error = now == 0 ? ENOSPC : errno;
      break;
    }
  }
  return wrote;
}

}  // namespace

Writer::Writer(WriterOptions options, const Clock& clock, FileCalls* calls)
    : options_(std::move(options)),
      clock_(clock),
      calls_(calls != nullptr ? *calls : system_calls_),
      encoder_({.compress_from = options_.compress_from, .compress_level = options_.compress_level}) {}

Writer::~Writer() {
  try {
    static_cast<void>(finish());
  } catch (const std::bad_alloc&) {  // what was pending is lost
  }
}

Result<> Writer::append(RecordType type, std::uint32_t tag, std::string_view payload) {
  return append(type, tag, payload.size(), [payload](char* to) { return std::ranges::copy(payload, to).out; });
}

// A record is about to come.
Result<> Writer::take(RecordType type, std::size_t payload_size) {
  if (type < RecordType::kResource || type > RecordType::kDestination || type == RecordType::kBlock) {
    ++counts_.lost_records;
    return std::unexpected(
        Error{Errc::kInvalidArgument, "a spool record of type " + std::to_string(static_cast<int>(type))});
  }
  if (payload_size > kMaxPayloadBytes) {
    ++counts_.lost_records;
    return std::unexpected(Error{Errc::kLimit, "a spool record of " + std::to_string(payload_size) + " bytes"});
  }
  if (!in_preamble_ && pending_.capacity() == 0) pending_.reserve(options_.batch_bytes + options_.batch_bytes / 16);
  return {};
}

Result<> Writer::appended() {
  if (in_preamble_) {
    ++head_records_;
    return {};
  }
  ++pending_records_;
  return pending_.size() >= options_.batch_bytes ? flush() : Result<>();
}

Result<> Writer::flush() {
  if (in_preamble_ || pending_.empty()) return {};
  // Whatever becomes of them, they are not tried again.
  struct Clearing {
    Writer& writer;
    ~Clearing() {
      writer.pending_records_ = 0;
      writer.pending_.clear();
      // One large record is no reason to keep its memory.
      if (writer.pending_.capacity() > 4 * writer.options_.batch_bytes) std::string().swap(writer.pending_);
    }
  } const clearing{*this};
  return write_pending();
}

Result<> Writer::finish() {
  Result<> done = flush();
  give_back();
  return done;
}

Result<> Writer::write_pending() {
  Result<> done = use_file(clock_.boot());
  const std::string_view batch = encoder_.encode(pending_, file_.salt);
  const std::uint64_t size = file_.size, records = counts_.records;
  if (done) done = make_room(batch.size());
  if (done) done = write_batch(batch);
  if (!done) {
    write_closing(batch.substr(static_cast<std::size_t>(file_.size - size)));
    counts_.lost_records += pending_records_ - (counts_.records - records);
  }
  return done;
}

// The present file if it will do, else a new one. Error: there is none to write to now.
Result<> Writer::use_file(Nanos now) {
  if (!needs_file(now)) return {};
  if (now < next_attempt_) return std::unexpected(Error{Errc::kIo, last_failure_});
  Result<> started = start_file(now);
  if (!started) {
    last_failure_ = started.error().message;
    next_attempt_ = now + kRetryAfter;
  }
  return started;
}

// For so many bytes, and behind them for what closes. Error: there is none for them; what was kept is kept.
Result<> Writer::make_room(std::size_t bytes) {
  const std::uint64_t end = file_.size + bytes;
  if (end > file_.size_limit) {
    return std::unexpected(
        Error{Errc::kLimit, file_.path + ": the limit of file sizes (ulimit -f) leaves no room for a batch"});
  }
  const std::uint64_t kept = options_.kept_bytes;
  if (kept == 0 || end + kept <= file_.room || allocate(file_, end + 2 * kept)) return {};
  // Where nothing could be kept it may do without.
  if (file_.room == 0) return {};
  return std::unexpected(errno_error("writing to " + file_.path, errno));
}

// False and errno: there is no such room. Whatever else goes wrong, the file system can keep none, and is not asked
// again. What is kept already is not asked for again, and cannot fail.
bool Writer::allocate(File& file, std::uint64_t room) {
  const std::uint64_t from = std::max(file.room, file.size / kDiskBlock * kDiskBlock);
  // Beyond `ulimit -f` tmpfs would end the process.
  const std::uint64_t to = std::min(room, file.size_limit) / kDiskBlock * kDiskBlock;
  if (to <= from) return true;
  if (calls_.allocate(file.fd.get(), static_cast<off_t>(from), static_cast<off_t>(to - from)) == 0) {
    file.room = to;
  } else if (errno == ENOSPC || errno == EDQUOT) {
    return false;
  } else {
    file.room = kNoEnd;
  }
  return true;
}

// Where there was too little, the file may have got some of it.
void Writer::give_back() {
  if (file_.fd.valid() && options_.kept_bytes != 0 && file_.room != kNoEnd) {
    static_cast<void>(calls_.truncate(file_.fd.get(), static_cast<off_t>(file_.size)));
  }
  file_.room = 0;
}

// What is whole of it stays in the file, whatever happens, as readers may have seen it; what follows is cut off.
Result<> Writer::write_batch(std::string_view batch) {
  const Wrote wrote = write_some(calls_, file_.fd.get(), batch);
  const WholeRecords whole = whole_records(batch, wrote.bytes);
  file_.size += whole.bytes;
  counts_.bytes += whole.bytes;
  counts_.records += whole.records;
  if (wrote.error == 0) return {};
  Error error = errno_error("writing to " + file_.path, wrote.error);
  file_.room = 0;  // cut off, too
  if (calls_.truncate(file_.fd.get(), static_cast<off_t>(file_.size)) != 0) {
    broken_ = true;
    next_attempt_ = clock_.boot() + kRetryAfter;
    last_failure_ = error.message;
  }
  return std::unexpected(std::move(error));
}

// Of what could not be written: what says how things ended, as far as there is room.
void Writer::write_closing(std::string_view batch) {
  if (!file_.fd.valid() || broken_) return;
  std::string closing;
  for (std::size_t size = 0; !batch.empty(); batch.remove_prefix(size)) {
    size = decode_record_header(batch.data())->record_size();
    const auto type = static_cast<RecordType>(batch[8]);
    if (type != RecordType::kSessionClose && type != RecordType::kCounters) continue;
    if (file_.size + closing.size() + size <= file_.size_limit) closing.append(batch.substr(0, size));
  }
  if (!closing.empty()) static_cast<void>(write_batch(closing));
}

bool Writer::needs_file(Nanos now) {
  if (!file_.fd.valid() || broken_) return true;
  const std::uint64_t grown = file_.size - file_.head_size;
  if (grown >= options_.file_bytes) return true;
  if (grown > 0 && file_.size + pending_.size() > file_.size_limit) return true;
  if (now < look_at_) return false;
  look_at_ = now + kLookAfter;
  struct stat status;
  if (::fstat(file_.fd.get(), &status) != 0 || status.st_nlink != 0) return false;
  give_back();  // nobody will see it
  return true;
}

Result<> Writer::start_file(Nanos now) {
  const std::string preamble = take_preamble();
  Result<> result;
  for (int attempt = 0; attempt < kStartAttempts; ++attempt) {
    MCPTRACE_TRY(const UniqueFd directory, make_directory(options_.directory));
    const Nanos wall = clock_.wall();
    if (attempt == 0) expire_others(directory.get(), wall);
    const auto salt = static_cast<std::uint32_t>(random_.u64());
    head_ = preamble;
    const std::string name = make_name(wall, options_.name_prefix, ::getpid(), salt);
    auto made = make_file(directory.get(), name, salt, wall);
    if (made) {
      if (first_file_.empty()) first_file_ = name;
      counts_.bytes += made->size;
      counts_.records += head_records_;
      give_back();
      file_ = std::move(*made);  // lets the old one go
      broken_ = false;
      look_at_ = now + kLookAfter;
      next_attempt_ = {};
      return {};
    }
    result = std::unexpected(std::move(made).error());
    // Somebody took the directory or the unfinished file away: again, from the start.
    if (result.error().code != Errc::kNotFound) break;
  }
  counts_.lost_records += head_records_;
  return result;
}

void Writer::expire_others(int directory, Nanos wall) {
  if (first_file_.empty() && looked_lately(directory, wall, options_.look_after)) return;
  note_look(directory, wall);
  counts_.expired_files +=
      expire(directory, options_.directory, options_.total_bytes, options_.total_files, wall).files;
}

std::string Writer::take_preamble() {
  head_.clear();
  head_records_ = 0;
  if (preamble_) {
    in_preamble_ = true;
    preamble_(*this);
    in_preamble_ = false;
  }
  return std::move(head_);
}

Result<Writer::File> Writer::make_file(int directory, const std::string& name, std::uint32_t salt, Nanos created) {
  const std::string temporary = temporary_of(name);
  File file;
  file.path = options_.directory + "/" + name;
  file.salt = salt;
  file.size_limit = file_size_limit();
  file.fd.reset(calls_.create(directory, temporary.c_str()));
  if (!file.fd.valid()) return std::unexpected(system_error("making " + file.path));
  auto filled = fill_file(file, temporary, salt, created);
  if (filled && calls_.rename(directory, temporary.c_str(), name.c_str()) != 0) {
    filled = std::unexpected(system_error("naming " + file.path));
  }
  if (!filled) {
    ::unlinkat(directory, temporary.c_str(), 0);
    return std::unexpected(std::move(filled).error());
  }
  return file;
}

Result<> Writer::fill_file(File& file, const std::string& temporary, std::uint32_t salt, Nanos created) {
  if (calls_.lock(file.fd.get()) != 0) return std::unexpected(errno_error("locking " + file.path, errno));
  std::string head = encode_file_header({.created = created, .salt = salt});
  head.append(encoder_.encode(head_, salt));
  if (head.size() > file.size_limit) {
    return std::unexpected(Error{Errc::kLimit, temporary + ": larger than the limit of file sizes (ulimit -f)"});
  }
  const Wrote wrote = write_some(calls_, file.fd.get(), head);
  if (wrote.error != 0) return std::unexpected(errno_error("writing to " + file.path, wrote.error));
  file.size = file.head_size = head.size();
  // A file that has room for what closes is not left for one that has none.
  const bool kept = options_.kept_bytes == 0 || allocate(file, file.size + 2 * options_.kept_bytes);
  if (!kept && file_.room != 0) return std::unexpected(errno_error("writing to " + file.path, errno));
  return {};
}

}  // namespace mcptrace::spool
