#include "spool/layout.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "base/testing.h"
#include "spool/block.h"
#include "spool/crc32c.h"

namespace mcptrace::spool {
namespace {

TEST(Crc32c, GivesTheValuesOfRfc3720) {
  const std::string zeros(32, '\0');
  const std::string ones(32, '\xff');
  for (const auto& crc : {crc32c, crc32c_portable}) {
    EXPECT_EQ(crc("", 0), 0u);
    EXPECT_EQ(crc("123456789", 0), 0xe3069283u);
    EXPECT_EQ(crc(zeros, 0), 0x8a9136aau);
    EXPECT_EQ(crc(ones, 0), 0x62a8ab43u);
  }
}

TEST(Crc32c, OfPartsIsThatOfTheWholeOnBothWays) {
  std::string bytes(1000, '\0');
  SeededRandom random(1);
  random.fill({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
  const std::string_view all = bytes;
  for (std::size_t cut = 0; cut < 64; ++cut) {
    for (std::size_t size = cut; size < all.size(); size += 97) {
      const std::uint32_t whole = crc32c(all.substr(0, size));
      EXPECT_EQ(crc32c(all.substr(cut, size - cut), crc32c(all.substr(0, cut))), whole);
      EXPECT_EQ(crc32c_portable(all.substr(cut, size - cut), crc32c_portable(all.substr(0, cut))), whole);
    }
  }
}

TEST(FileHeader, ComesBack) {
  const std::string bytes = encode_file_header({.created = Nanos(1234567890123456789), .salt = 0xdeadbeef});
  ASSERT_EQ(bytes.size(), kFileHeaderBytes);
  const auto header = decode_file_header(bytes);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->created, Nanos(1234567890123456789));
  EXPECT_EQ(header->salt, 0xdeadbeefu);
}

TEST(FileHeader, AnyFlippedBitIsSeen) {
  const std::string bytes = encode_file_header({.created = Nanos(1), .salt = 2});
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(decode_file_header(damaged)) << bit;
  }
}

TEST(RecordHeader, RefusesWhatCannotBeOne) {
  std::string record;
  append_record(record, RecordType::kSpan, 7, "payload");
  ASSERT_TRUE(decode_record_header(record.data()));
  EXPECT_EQ(decode_record_header(record.data())->record_size(), record.size());
  for (const auto& [at, byte] : {std::pair{8, 0}, {8, 32}, {9, 1}, {10, 1}, {11, 1}, {3, 1}}) {
    std::string odd = record;
    odd[static_cast<std::size_t>(at)] = static_cast<char>(byte);
    EXPECT_FALSE(decode_record_header(odd.data())) << at;
  }
}

std::string spans(std::size_t count, std::uint32_t tags, std::size_t size) {
  std::string records;
  for (std::size_t i = 0; i < count; ++i) {
    append_record(records, RecordType::kSpan, static_cast<std::uint32_t>(i) % tags,
                  std::string(size, static_cast<char>('a' + i % 7)));
  }
  return records;
}

// As those of one session are.
std::string alike_spans(std::size_t count, std::size_t size) {
  std::string records, payload(size, 'a');
  for (std::size_t i = 0; i < count; ++i) {
    payload.replace(size / 2, 4, std::to_string(1000 + i));
    append_record(records, RecordType::kSpan, 1, payload);
  }
  return records;
}

TEST(BatchEncoder, CompressesARunOfSpansAndTheDecoderGivesItBack) {
  const std::string plain = spans(100, 3, 300);
  std::string records = plain;
  BatchEncoder encoder({.compress_from = 8192});
  const std::string_view batch = encoder.encode(records, 42);
  ASSERT_LT(batch.size(), plain.size() / 4);
  const auto header = decode_record_header(batch.data());
  ASSERT_TRUE(header);
  EXPECT_EQ(header->type, static_cast<std::uint8_t>(RecordType::kBlock));
  EXPECT_EQ(header->record_size(), batch.size());
  EXPECT_EQ(header->crc, record_crc(batch, 42));
  EXPECT_NE(header->crc, record_crc(batch, 43));
  const auto block = decode_block_header(batch.substr(kRecordHeaderBytes));
  ASSERT_TRUE(block);
  EXPECT_EQ(block->records, 100u);
  EXPECT_EQ(block->types, 1u << 4);
  EXPECT_TRUE(block->tags_listed);
  EXPECT_EQ(block->tags.size(), 12u);
  EXPECT_TRUE(may_hold_tag(*block, 2));
  EXPECT_FALSE(may_hold_tag(*block, 3));
  BlockDecoder decoder;
  EXPECT_EQ(decoder.expand(*block), plain);
}

TEST(BatchEncoder, ALogIsPackedWithItsSpan) {
  std::string records;
  for (int i = 0; i < 50; ++i) {
    append_record(records, RecordType::kSpan, 1, std::string(300, 's'));
    append_record(records, RecordType::kLog, 1, std::string(200, 'l'));
  }
  const std::string plain = records;
  BatchEncoder encoder({.compress_from = 8192});
  const std::string_view batch = encoder.encode(records, 42);
  const auto block = decode_block_header(batch.substr(kRecordHeaderBytes));
  ASSERT_TRUE(block);
  EXPECT_EQ(decode_record_header(batch.data())->record_size(), batch.size()) << "one block";
  EXPECT_EQ(block->types, 1u << 4 | 1u << 7);
  BlockDecoder decoder;
  EXPECT_EQ(decoder.expand(*block), plain);
}

TEST(BatchEncoder, ListsAtMostThirtyTwoTags) {
  for (const std::uint32_t tags : {32u, 33u}) {
    std::string records = spans(200, tags, 100);
    BatchEncoder encoder({.compress_from = 1});
    const auto block = decode_block_header(encoder.encode(records, 1).substr(kRecordHeaderBytes));
    ASSERT_TRUE(block);
    EXPECT_EQ(block->tags_listed, tags == 32);
    EXPECT_EQ(may_hold_tag(*block, 1000), tags == 33);
  }
}

TEST(BatchEncoder, LeavesPlainWhatIsSmallOrDoesNotShrink) {
  std::string noise(20'000, '\0');
  SeededRandom random(3);
  random.fill({reinterpret_cast<std::uint8_t*>(noise.data()), noise.size()});
  std::string incompressible;
  append_record(incompressible, RecordType::kSpan, 1, noise);
  for (std::string records : {spans(5, 1, 100), incompressible}) {
    BatchEncoder encoder({.compress_from = 8192});
    const std::string_view batch = encoder.encode(records, 9);
    EXPECT_EQ(batch.data(), records.data());
    const auto header = decode_record_header(batch.data());
    ASSERT_TRUE(header);
    EXPECT_EQ(header->type, static_cast<std::uint8_t>(RecordType::kSpan));
    EXPECT_EQ(header->crc, record_crc(batch.substr(0, header->record_size()), 9));
  }
}

TEST(BatchEncoder, NoBatchGrowsWhateverItHolds) {
  SeededRandom random(5);
  BatchEncoder encoder({.compress_from = 2000});
  for (int round = 0; round < 200; ++round) {
    std::string records;
    std::size_t count = 0;
    for (; records.size() < 20'000; ++count) {
      const std::uint64_t dice = random.u64();
      const auto type = dice % 8 == 0 ? RecordType::kCallOpen : RecordType::kSpan;
      append_record(records, type, static_cast<std::uint32_t>(dice >> 32),
                    std::string(dice / 8 % 900, static_cast<char>(dice >> 16)));
    }
    const std::size_t before = records.size();
    const std::string_view batch = encoder.encode(records, 1);
    EXPECT_LE(batch.size(), before);
    const WholeRecords whole = whole_records(batch, batch.size());
    EXPECT_EQ(whole.bytes, batch.size());
    EXPECT_EQ(whole.records, count);
    const WholeRecords none = whole_records(batch, 5);
    EXPECT_EQ(none.bytes + none.records, 0u);
  }
}

TEST(BatchEncoder, CutsLongRunsSoThatBlocksStayWithinTheirBound) {
  std::string records = spans(9000, 1, 400);  // 3.7 MB
  BatchEncoder encoder({.compress_from = 8192});
  std::string_view batch = encoder.encode(records, 1);
  std::size_t found = 0;
  for (; !batch.empty(); batch.remove_prefix(decode_record_header(batch.data())->record_size())) {
    const auto block = decode_block_header(batch.substr(kRecordHeaderBytes));
    ASSERT_TRUE(block);
    EXPECT_LE(block->uncompressed_size, 1u << 20);
    found += block->records;
  }
  EXPECT_EQ(found, 9000u);
}

TEST(BatchEncoder, LikeSpansAreToldByTheirLikenessOthersByZstd) {
  BatchEncoder encoder({.compress_from = 1});
  BlockDecoder decoder;
  std::string alike = alike_spans(200, 400), others = spans(200, 1, 400);
  for (auto& [records, coding] : {std::pair(&alike, Coding::kLikeness), std::pair(&others, Coding::kZstd)}) {
    const std::string plain = *records;
    const std::string payload(encoder.encode(*records, 1).substr(kRecordHeaderBytes));
    const auto block = decode_block_header(payload);
    ASSERT_TRUE(block);
    EXPECT_EQ(block->coding, coding);
    EXPECT_LT(payload.size(), plain.size() / 4);
    EXPECT_EQ(decoder.expand(*block), plain);
  }
}

TEST(BlockDecoder, RefusesACodingThatIsNotKnown) {
  std::string records = spans(50, 1, 300);
  BatchEncoder encoder({.compress_from = 1});
  std::string payload(encoder.encode(records, 1).substr(kRecordHeaderBytes));
  ASSERT_TRUE(decode_block_header(payload));
  payload[14] = 2;
  EXPECT_FALSE(decode_block_header(payload));
}

class BlockDecoderDamage : public testing::TestWithParam<Coding> {};

TEST_P(BlockDecoderDamage, RefusesWhatIsNotAsItsHeaderSays) {
  const bool alike = GetParam() == Coding::kLikeness;
  std::string records = alike ? alike_spans(50, 300) : spans(50, 1, 300);
  BatchEncoder encoder({.compress_from = 1});
  const std::string payload(encoder.encode(records, 1).substr(kRecordHeaderBytes));
  ASSERT_EQ(decode_block_header(payload)->coding, GetParam());
  BlockDecoder decoder;
  ASSERT_TRUE(decoder.expand(*decode_block_header(payload)));
  for (const std::size_t at : {0u, 4u, 20u, alike ? 21u : 30u}) {  // size, count, the coding's first bytes
    std::string damaged = payload;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    const auto header = decode_block_header(damaged);
    EXPECT_FALSE(header && decoder.expand(*header)) << at;
  }
  EXPECT_FALSE(decode_block_header(payload.substr(0, 15)));
  std::string large = payload;
  store32(large.data(), kMaxBlockBytes + 1);
  EXPECT_FALSE(decode_block_header(large));
}

INSTANTIATE_TEST_SUITE_P(Codings, BlockDecoderDamage, testing::Values(Coding::kZstd, Coding::kLikeness));

}  // namespace
}  // namespace mcptrace::spool
