// What is coded by its likeness comes back byte for byte, whatever it is; and foreign bytes do no harm.
#include "spool/likeness.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "spool/layout.h"

namespace mcptrace::spool {
namespace {

void append(std::string& run, std::string_view payload) { append_record(run, RecordType::kSpan, 7, payload); }

// Nothing: it takes more than `room`.
std::string encode(const std::string& run, std::size_t room) {
  std::string coded(room + 8, '#');
  const std::size_t size = encode_likeness(run, coded.data(), room);
  EXPECT_LE(size, room);
  EXPECT_EQ(coded.substr(room), "########");
  return coded.substr(0, size);
}

std::string decode(std::string_view coded, std::size_t size) {
  std::string run(size + 8, '#');
  const bool done = decode_likeness(coded, run.data(), size);
  EXPECT_EQ(run.substr(size), "########");
  return done ? run.substr(0, size) : "refused";
}

void expect_round_trip(const std::string& run) {
  const std::string coded = encode(run, 4 * run.size() + 64);
  ASSERT_FALSE(coded.empty());
  EXPECT_EQ(decode(coded, run.size()), run);
  EXPECT_EQ(decode(coded, run.size() + 1), "refused");
  if (!run.empty()) {
    EXPECT_EQ(decode(coded, run.size() - 1), "refused");
  }
}

TEST(Likeness, TakesLittleMoreThanWhatDiffers) {
  std::string run, payload(562, 'a');
  for (int i = 0; i < 100; ++i) {
    for (const std::size_t at : {20u, 120u, 500u}) payload.replace(at, 8, std::to_string(10'000'000 + 7919 * i));
    append(run, payload);
  }
  const std::string coded = encode(run, run.size());
  EXPECT_LT(coded.size(), 579u + 99 * (1 + 3 * (8 + 2) + 2 * 3));
  EXPECT_EQ(decode(coded, run.size()), run);
}

TEST(Likeness, EverySizeAndEveryLengthOfEqualAndOtherBytes) {
  for (const std::size_t size : {0u, 1u, 15u, 47u, 48u, 49u, 63u, 111u, 112u, 113u, 300u, 1000u}) {
    for (const std::size_t step : {1u, 2u, 7u, 63u, 64u, 65u, 254u, 255u, 256u, 257u, 600u}) {
      std::string payload(size, 'x'), run;
      append(run, payload);
      for (std::size_t at = 0; at < size; ++at) payload[at] = at / step % 2 == 0 ? 'x' : 'y';
      append(run, payload);
      for (char& c : payload) c = static_cast<char>(c ^ 1);  // now all of it
      append(run, payload);
      append(run, payload);  // now nothing
      expect_round_trip(run);
    }
  }
}

TEST(Likeness, WhateverComesComesBack) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> kinds(1 + random() % 5);
    for (std::string& kind : kinds) {
      kind.assign(random() % 700, 'k');
      for (char& c : kind) c = static_cast<char>(random());
    }
    std::string run;
    const std::size_t records = random() % 600;
    for (std::size_t i = 0; i < records; ++i) {
      std::string& payload = kinds[random() % kinds.size()];
      for (std::size_t edits = random() % 8; edits-- > 0 && !payload.empty();) {
        payload[random() % payload.size()] = static_cast<char>(random());
      }
      if (random() % 20 == 0) payload.resize(random() % 700, 'n');
      append(run, payload);
    }
    if (!run.empty()) expect_round_trip(run);
  }
}

TEST(Likeness, GivesUpWhereThereIsNoRoom) {
  std::string run;
  for (int i = 0; i < 50; ++i) append(run, std::string(static_cast<std::size_t>(100 + i), static_cast<char>(i)));
  const std::size_t needed = encode(run, 10 * run.size()).size();
  for (std::size_t room = 0; room < needed; room += 13) EXPECT_EQ(encode(run, room), "");
}

TEST(Likeness, ForeignBytesAreRefusedOrMakeWholeRecords) {
  std::string run, payload(300, 'a');
  for (int i = 0; i < 20; ++i) {
    payload[static_cast<std::size_t>(i * 13)] = 'b';
    append(run, payload);
  }
  const std::string coded = encode(run, run.size());
  std::mt19937 random(2);
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = coded.substr(0, random() % 4 == 0 ? random() % coded.size() : coded.size());
    for (int edits = 0; edits < 3 && !damaged.empty(); ++edits) {
      damaged[random() % damaged.size()] = static_cast<char>(random() % 3 == 0 ? random() : random() % 4);
    }
    const std::string made = decode(damaged, run.size());
    refused += made == "refused";
  }
  EXPECT_GT(refused, 1000);
  EXPECT_EQ(decode("", 0), "");
  EXPECT_EQ(decode(std::string("\1", 1), 16), "refused") << "like nothing that is there";
  EXPECT_EQ(decode(std::string("\0", 1), 16), "refused") << "no record follows";
}

}  // namespace
}  // namespace mcptrace::spool
