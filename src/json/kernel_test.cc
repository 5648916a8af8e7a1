#include "json/kernel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace mcptrace::json {
namespace {

struct Classified {
  std::vector<Block> blocks;
  Carry carry;
};

Classified classify(const Kernel& kernel, std::string_view input, Carry carry) {
  // Exactly as long as it says, so that AddressSanitizer sees a load beyond it.
  const std::vector<char> copy(input.begin(), input.end());
  Classified result{std::vector<Block>((input.size() + kBlockBytes - 1) / kBlockBytes), carry};
  kernel.classify(copy.data(), copy.size(), result.carry, result.blocks.data());
  return result;
}

// The definition, a byte at a time.
Classified expected(std::string_view input, Carry carry) {
  Classified result{std::vector<Block>((input.size() + kBlockBytes - 1) / kBlockBytes), {}};
  bool inside = carry.in_string != 0;
  bool escaped = carry.escaped != 0;
  for (std::size_t i = 0; i < input.size(); ++i) {
    const char byte = input[i];
    Block& block = result.blocks[i / kBlockBytes];
    const std::uint64_t bit = std::uint64_t{1} << i % kBlockBytes;
    const bool quote = byte == '"' && !escaped;
    escaped = byte == '\\' && !escaped;
    if (quote) inside = !inside;
    if (quote) block.quotes |= bit;
    if (byte == '\\') block.backslashes |= bit;
    if (!inside && (byte == '{' || byte == '[')) block.opens |= bit;
    if (!inside && (byte == '}' || byte == ']')) block.closes |= bit;
  }
  const bool ascii = std::ranges::all_of(input, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  result.carry = {inside ? ~std::uint64_t{0} : 0, escaped ? std::uint64_t{1} : 0, ascii ? carry.not_ascii : 1};
  return result;
}

std::size_t expected_skip(const std::vector<Block>& blocks, std::size_t at, std::size_t size, std::uint64_t& depth) {
  for (; at < size; ++at) {
    const Block& block = blocks[at / kBlockBytes];
    if ((block.opens >> at % kBlockBytes & 1) != 0) ++depth;
    if ((block.closes >> at % kBlockBytes & 1) != 0 && --depth == 0) return at;
  }
  return size;
}

void expect_same(const Classified& found, const Classified& wanted, std::string_view input) {
  ASSERT_EQ(found.carry.in_string, wanted.carry.in_string) << input;
  ASSERT_EQ(found.carry.escaped, wanted.carry.escaped) << input;
  ASSERT_EQ(found.carry.not_ascii != 0, wanted.carry.not_ascii != 0) << input;
  for (std::size_t i = 0; i < wanted.blocks.size(); ++i) {
    ASSERT_EQ(found.blocks[i].quotes, wanted.blocks[i].quotes) << input;
    ASSERT_EQ(found.blocks[i].backslashes, wanted.blocks[i].backslashes) << input;
    ASSERT_EQ(found.blocks[i].opens, wanted.blocks[i].opens) << input;
    ASSERT_EQ(found.blocks[i].closes, wanted.blocks[i].closes) << input;
  }
}

std::string random_input(std::mt19937& random, std::string_view alphabet) {
  std::string input(random() % 400, ' ');
  for (char& byte : input) byte = alphabet[random() % alphabet.size()];
  return input;
}

class KernelTest : public testing::TestWithParam<const Kernel*> {};

TEST_P(KernelTest, GivesTheDefinedMasksOnAnyInput) {
  std::string every_byte(256, '\0');
  for (int i = 0; i < 256; ++i) every_byte[static_cast<std::size_t>(i)] = static_cast<char>(i);
  std::mt19937 random(1);
  for (const std::string_view alphabet :
       {std::string_view(every_byte), std::string_view("\\\""), std::string_view("\\\\\\\\\\\\\\\"a"),
        std::string_view("{}[]\" a:,"), std::string_view("{}[];=[\x1b\x1d\xfb\xfd\xdb\"\\")}) {
    for (int round = 0; round < 1500; ++round) {
      const std::string input = random_input(random, alphabet);
      const Carry carry{random() % 2 == 0 ? ~std::uint64_t{0} : 0, random() % 2};
      expect_same(classify(*GetParam(), input, carry), expected(input, carry), input);
    }
  }
}

TEST_P(KernelTest, CountsBackslashRunsOfEveryLengthAcrossBlockEnds) {
  for (std::size_t before = 0; before < 130; ++before) {
    for (std::size_t run = 0; run < 140; ++run) {
      const std::string input = std::string(before, 'x') + std::string(run, '\\') + "\"{";
      expect_same(classify(*GetParam(), input, {}), expected(input, {}), input);
      const std::string_view cut = std::string_view(input).substr(0, before + run);
      expect_same(classify(*GetParam(), cut, {0, 1}), expected(cut, {0, 1}), cut);
      const std::string within = std::string(before, '{') + std::string(run, '\\') + std::string(before, ']') + "\"{";
      expect_same(classify(*GetParam(), within, {~std::uint64_t{0}, 0}), expected(within, {~std::uint64_t{0}, 0}),
                  within);
    }
  }
}

TEST_P(KernelTest, SkipFindsTheCloserThatEndsItAll) {
  std::mt19937 random(2);
  for (int round = 0; round < 4000; ++round) {
    const std::string input = random_input(random, round % 2 == 0 ? "{}[] \"" : "{[}] aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    if (input.empty()) continue;
    const Classified classified = classify(*GetParam(), input, {});
    const std::size_t from = random() % input.size();
    std::uint64_t depth = 1 + random() % (round % 3 == 0 ? 100 : 4);
    std::uint64_t wanted_depth = depth;
    const std::size_t wanted = expected_skip(classified.blocks, from, input.size(), wanted_depth);
    ASSERT_EQ(GetParam()->skip(classified.blocks.data(), from, input.size(), depth), wanted) << input;
    ASSERT_EQ(depth, wanted_depth) << input;
  }
}

std::vector<const Kernel*> all_kernels() {
  std::vector<const Kernel*> all;
  for (const Kernel& kernel : kernels()) all.push_back(&kernel);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Each, KernelTest, testing::ValuesIn(all_kernels()),
                         [](const auto& test) { return test.param->name; });

}  // namespace
}  // namespace mcptrace::json
