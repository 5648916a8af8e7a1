// Random appends, flushes, rotations, restarts, cuts and flipped bits, against a list in memory. Whatever is damaged,
// all that was accepted and not hit is read back, in order; what was hit is missing or, if only its neighbour was,
// there; and skipping is counted. Readers run all along, in steps.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "base/random.h"
#include "base/testing.h"
#include "spool/layout.h"
#include "spool/spool_testing.h"

namespace mcptrace::spool {
namespace {

struct Extent {
  std::uint64_t begin;
  std::uint64_t end;
  std::vector<Kept> records;  // one, or those of a block
};

// Where the records of an undamaged file lie.
std::vector<Extent> extents_of(const std::string& path) {
  const std::string bytes = bytes_of(path);
  std::vector<Extent> extents;
  FileReader reader(path);
  std::uint64_t at = kFileHeaderBytes;
  std::vector<Kept> gathered;
  while (const auto record = reader.next()) {
    gathered.push_back({record->type, record->tag, std::string(record->payload)});
    if (reader.position() != at) {
      extents.push_back({at, reader.position(), std::move(gathered)});
      gathered.clear();
      at = reader.position();
    }
  }
  EXPECT_EQ(at, bytes.size());
  return extents;
}

class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) { start(); }

  void act() {
    switch (pick(40)) {
      case 0:
        return restart();
      case 1:
        return read_some();
      case 2:
      case 3:
      case 4:
        return flush();
      default:
        return append();
    }
  }

  // Everything is there; then damage, and everything that it did not hit.
  void finish() {
    writer_.reset();
    accept();
    std::vector<Kept> present;
    std::map<std::string, std::vector<Extent>> extents;
    for (const FileInfo& file : files_of(temp_.spool())) {
      for (Kept& record : records_of(file.path)) present.push_back(std::move(record));
      extents[file.path] = extents_of(file.path);
    }
    ASSERT_EQ(present, accepted_);
    while (reader_) read_some(true);
    ASSERT_EQ(followed_, accepted_) << "the reader that followed in steps";
    for (const auto& [path, list] : extents) damage(path, list);
  }

 private:
  std::uint64_t pick(std::uint64_t below) { return random_.u64() % below; }

  void start() {
    WriterOptions options{.directory = temp_.spool()};
    options.file_bytes = 2000 + pick(60'000);
    options.batch_bytes = 200 + pick(30'000);
    options.compress_from = 100 + pick(10'000);
    writer_ = std::make_unique<Writer>(options, clock_);
  }

  void append() {
    static constexpr RecordType kTypes[] = {RecordType::kResource,     RecordType::kSessionOpen, RecordType::kCallOpen,
                                            RecordType::kSessionClose, RecordType::kLog,         RecordType::kCounters,
                                            RecordType::kDestination};
    const auto type = pick(8) == 0 ? kTypes[pick(std::size(kTypes))] : RecordType::kSpan;
    std::string payload(pick(20) == 0 ? pick(5000) : pick(400), static_cast<char>('a' + pick(26)));
    for (std::size_t noise = pick(8); noise > 0 && !payload.empty(); --noise) {
      payload[pick(payload.size())] = static_cast<char>(random_.u64());
    }
    pending_.push_back({type, static_cast<std::uint32_t>(pick(50)), payload});
    clock_.advance(Nanos(1));
    ASSERT_TRUE(writer_->append(type, pending_.back().tag, payload));
    if (writer_->pending_bytes() == 0) accept();
  }

  void flush() {
    ASSERT_TRUE(writer_->flush());
    accept();
  }

  void restart() {
    clock_.advance(Nanos(1));
    writer_.reset();
    accept();
    start();
  }

  void accept() {
    accepted_.insert(accepted_.end(), pending_.begin(), pending_.end());
    pending_.clear();
  }

  // A consumer that goes through the files one after the other while they grow.
  void read_some(bool to_end = false) {
    const auto files = files_of(temp_.spool());
    if (!reader_) {
      if (next_file_ == files.size()) return;
      reader_.emplace(files[next_file_++].path);
    }
    for (std::uint64_t left = to_end ? ~0ull : pick(100); left > 0; --left) {
      const auto record = reader_->next();
      if (record) {
        followed_.push_back({record->type, record->tag, std::string(record->payload)});
        continue;
      }
      EXPECT_EQ(reader_->skipped().bytes, 0u);
      const bool final = to_end || next_file_ < files.size();  // a newer one exists: this was left
      if (final && !reader_->next()) {
        reader_.reset();
        if (next_file_ < files.size()) reader_.emplace(files[next_file_++].path);
      }
      return;
    }
  }

  void damage(const std::string& path, const std::vector<Extent>& extents) {
    const std::string whole = bytes_of(path);
    for (int round = 0; round < 20; ++round) {
      std::string bytes = whole;
      std::vector<std::uint64_t> hits;
      for (std::uint64_t flips = pick(4); flips > 0; --flips) {
        hits.push_back(pick(bytes.size()));
        bytes[hits.back()] = static_cast<char>(bytes[hits.back()] ^ (1 << pick(8)));
      }
      if (pick(3) == 0) bytes.resize(pick(bytes.size() + 1));
      std::vector<Kept> expected;
      bool header_hit = bytes.size() < kFileHeaderBytes;
      std::uint64_t lost = 0;
      for (const Extent& extent : extents) {
        const bool hit = std::any_of(hits.begin(), hits.end(), [&](std::uint64_t at) {
          return at >= extent.begin && at < extent.end && at < bytes.size() && bytes[at] != whole[at];
        });
        if (extent.end > bytes.size() || hit) {
          ++lost;
        } else {
          expected.insert(expected.end(), extent.records.begin(), extent.records.end());
        }
      }
      for (const std::uint64_t at : hits) header_hit |= at < kFileHeaderBytes;
      overwrite(path, bytes);
      FileReader reader(path);
      ASSERT_EQ(rest_of(reader), expected);
      EXPECT_EQ(reader.position(), bytes.size());
      if (lost == 0 && !header_hit) {
        EXPECT_EQ(reader.skipped().bytes, 0u);
      }
      const std::uint64_t end = extents.empty() ? kFileHeaderBytes : extents.back().end;
      if (lost > 0 && bytes.size() == end) {
        EXPECT_GT(reader.skipped().bytes, 0u);
        EXPECT_LE(reader.skipped().places, lost + (header_hit ? 1 : 0));
      }
    }
    overwrite(path, whole);
  }

  TempDirectory temp_;
  ManualClock clock_;
  SeededRandom random_;
  std::unique_ptr<Writer> writer_;
  std::vector<Kept> pending_;
  std::vector<Kept> accepted_;
  std::vector<Kept> followed_;
  std::optional<FileReader> reader_;
  std::size_t next_file_ = 0;
};

TEST(SpoolModel, WhatIsAcceptedAndNotDamagedIsReadBackInOrder) {
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Model model(seed);
    for (int i = 0; i < 1500; ++i) {
      model.act();
      if (HasFatalFailure()) return;
    }
    model.finish();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace mcptrace::spool
