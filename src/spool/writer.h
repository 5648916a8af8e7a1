// Appends records to this process's own file of the spool. Used by one thread.
//
// The file is made at the first flush (0600, in a directory of 0700, O_NOFOLLOW, by O_EXCL), locked while this process
// lives (directory.h), and left for a new one at a size, when it was deleted under us, and where it may hold half a
// record. A new file appears with its preamble in it, and only then is the old one let go: whoever looks always finds
// what is open in a locked file.
//
// *Accepted* means: flush() returned success, the bytes are in the file by write(2); they survive our death. Records
// are gathered; flush() writes them. Where a batch is large its kSpan and kLog records go compressed (a kBlock), all
// other types always plain; the order stays. Every batch that fails is returned as an error and counted, and the writer
// goes on trying with later ones (a full disk may have room again); but after a failure to make a file it makes no
// other for a second, and what comes meanwhile is lost and counted.
//
// Behind the file's end room is kept on the disk (fallocate(2); readers see none of it), for what says how things
// ended: where there is none for a batch, its kSessionClose and kCounters records go there, the rest is lost. The room
// is given back when the file is left; a process that is killed leaves it to its file. A file system that cannot keep
// room, or a disk that had none when the file was started, keeps none.
//
// It does not run into `ulimit -f` (whose SIGXFSZ would end the process): that is one more size at which a file is
// left. A child of fork(2) without exec(2) keeps the lock alive; descriptors are close-on-exec.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/fd.h"
#include "base/random.h"
#include "base/result.h"
#include "spool/block.h"
#include "spool/file_calls.h"
#include "spool/layout.h"

namespace mcptrace::spool {

struct WriterOptions {
  std::string directory{};               // .../spool; made if missing (its parent too)
  std::uint64_t file_bytes = 16u << 20;  // a file is left at this size
  // Of the directory, a file counting as what it takes on disk: when a file is started and it is over either,
  // unlocked files go (expiry.h); those of living processes stay, whatever the sum.
  std::uint64_t total_bytes = 512u << 20;
  std::uint64_t total_files = 10'000;
  // For a writer's first file nobody looks whether it is over, if somebody has within this time.
  Nanos look_after = std::chrono::minutes(1);
  // At least so much room is kept behind a file, and at most as much again; 0: none.
  std::uint64_t kept_bytes = 16u << 10;
  std::size_t batch_bytes = 128u << 10;  // append() flushes by itself beyond this
  std::size_t compress_from = 8u << 10;  // runs of at least this many bytes of spans are compressed
  // zstd's, for spans that are not alike enough to be told by what differs (likeness.h); negative ones are quicker. A
  // tool call's span of 578 bytes, with live times and ids, takes in batches of 128 KiB: level 1 42 bytes and 359 ns,
  // -1 47 and 315, -3 47 and 229, -5 61 and 229, -7 66 and 193. In batches of 64 KiB each takes 2 bytes more.
  int compress_level = -3;
  std::string name_prefix{};  // of the file's name, for humans: "run"; letters, digits, - and _
};

struct WriterCounts {
  std::uint64_t records = 0;        // accepted
  std::uint64_t bytes = 0;          // written
  std::uint64_t lost_records = 0;   // that could not be written
  std::uint64_t expired_files = 0;  // deleted unread, to make room (expiry.h)
};

class Writer {
 public:
  // `clock` must outlive the writer; so must `calls` (file_calls.h; null: the system's own). Opens nothing yet.
  Writer(WriterOptions options, const Clock& clock, FileCalls* calls = nullptr);
  ~Writer();  // finishes, ignoring errors

  // Called whenever a new file was started, before anything else goes into it: appends what must stand at its head
  // (resource, the *_open records of all that is open). Null = nothing. Within it append() only gathers and never fails
  // but for a record that is too large. What it says is of now: records gathered but not yet written follow after it.
  void set_preamble(std::function<void(Writer&)> preamble) { preamble_ = std::move(preamble); }

  // Copies the payload. Errors only from a flush that it causes, and kInvalidArgument for a type that is not a
  // producer's, kLimit for a payload over 4 MiB - 16; such a record is counted as lost.
  Result<> append(RecordType type, std::uint32_t tag, std::string_view payload);
  // The same for a payload that is made in its place: `write(char* to) -> char* end` has `room` bytes there, and gives
  // null where there is to be no record after all.
  template <class Write>
  Result<> append(RecordType type, std::uint32_t tag, std::size_t room, Write&& write) {
    if (auto taken = take(type, room); !taken) return taken;
    const auto size = append_record(gathering(), type, tag, room, std::forward<Write>(write));
    return size ? appended() : Result<>();
  }
  // Writes what is gathered. After an error the batch is gone, counted in lost_records.
  Result<> flush();
  // flush() for the last time: gives back the room that was kept.
  Result<> finish();

  [[nodiscard]] const WriterCounts& counts() const { return counts_; }
  [[nodiscard]] std::size_t pending_bytes() const { return pending_.size(); }
  [[nodiscard]] const std::string& path() const { return file_.path; }  // of the current file; empty before the first
  [[nodiscard]] const std::string& first_file() const { return first_file_; }  // its name; empty before it

 private:
  struct File {
    UniqueFd fd;
    std::string path;
    std::uint32_t salt = 0;
    std::uint64_t size = 0;        // up to here it holds whole records
    std::uint64_t head_size = 0;   // header and preamble
    std::uint64_t size_limit = 0;  // `ulimit -f`
    std::uint64_t room = 0;        // up to here it has room on the disk; 0: none is kept
  };

  Result<> take(RecordType type, std::size_t payload_size);
  std::string& gathering() { return in_preamble_ ? head_ : pending_; }
  Result<> appended();
  Result<> write_pending();
  Result<> use_file(Nanos now);
  Result<> make_room(std::size_t bytes);
  bool allocate(File& file, std::uint64_t room);
  void give_back();
  Result<> write_batch(std::string_view batch);
  void write_closing(std::string_view batch);
  [[nodiscard]] bool needs_file(Nanos now);
  Result<> start_file(Nanos now);
  void expire_others(int directory, Nanos wall);
  Result<File> make_file(int directory, const std::string& name, std::uint32_t salt, Nanos created);
  Result<> fill_file(File& file, const std::string& temporary, std::uint32_t salt, Nanos created);
  std::string take_preamble();

  const WriterOptions options_;
  const Clock& clock_;
  SystemFileCalls system_calls_;
  FileCalls& calls_;
  BatchEncoder encoder_;
  SystemRandom random_;
  std::function<void(Writer&)> preamble_;
  WriterCounts counts_;

  std::string pending_;
  std::size_t pending_records_ = 0;
  bool in_preamble_ = false;
  std::string head_;  // the preamble, while a file is started
  std::size_t head_records_ = 0;

  File file_;
  std::string first_file_;
  bool broken_ = false;       // the file may hold half a record
  Nanos look_at_{};           // boot: when to see next whether the file still has a name
  Nanos next_attempt_{};      // boot: no file is made before
  std::string last_failure_;  // why
};

}  // namespace mcptrace::spool
