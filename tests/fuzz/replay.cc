// Runs a fuzz target as a plain test, without a fuzzer: every file of its corpus, a few thousand mutations of each, and
// some random inputs.
//
//   fuzz_json_scan tests/fuzz/corpus/json_scan [more files or directories]
//
// The mutations are the same in every run on every machine; only where they stop may differ, for they are bounded in
// time. A missing or empty corpus is an error: a test that found nothing to run must not pass.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr int kMutationsOfEach = 3000;
constexpr int kRandomInputs = 2000;
constexpr std::chrono::seconds kMutationTime{5};
constexpr std::size_t kMaxMutated = 64 * 1024;

using Random = std::minstd_rand;

struct Input {
  std::string path;
  std::string bytes;
};

// std::uniform_int_distribution differs between libraries; this does not.
std::size_t below(Random& random, std::size_t limit) {
  const std::uint64_t high = random();
  return limit == 0 ? 0 : static_cast<std::size_t>((high << 31 | random()) % limit);
}

void run(std::string_view bytes) {
  // A copy of exactly this size on the heap, so that AddressSanitizer sees the first byte too many.
  const std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

bool read_inputs(const std::filesystem::path& path, std::vector<Input>& inputs) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path, error)) {
      if (entry.is_regular_file(error)) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
  } else if (std::filesystem::is_regular_file(path, error)) {
    files.push_back(path);
  }
  if (files.empty()) {
    std::fprintf(stderr, "replay: no corpus at %s\n", path.c_str());
    return false;
  }
  for (const auto& file : files) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
      std::fprintf(stderr, "replay: cannot read %s\n", file.c_str());
      return false;
    }
    inputs.push_back({file.string(), std::string(std::istreambuf_iterator<char>(stream), {})});
  }
  return true;
}

char some_byte(Random& random) {
  using std::string_view_literals::operator""sv;
  static constexpr std::string_view kTelling = "\0\x01\x7f\x80\xbf\xc0\xe2\xed\xf0\xff\"\\{}[]:,;=-+.019 \t\r\n/uteE"sv;
  return below(random, 2) == 0 ? kTelling[below(random, kTelling.size())] : static_cast<char>(below(random, 256));
}

void mutate_once(std::string& bytes, const std::vector<Input>& inputs, Random& random) {
  const std::size_t at = below(random, bytes.size() + 1);
  const std::size_t length = below(random, std::min<std::size_t>(bytes.size() - at, 32) + 1);
  switch (below(random, 8)) {
    case 0:
      if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(random, 8)));
      break;
    case 1:
      if (at < bytes.size()) bytes[at] = some_byte(random);
      break;
    case 2:
      bytes.insert(at, 1 + below(random, 4), some_byte(random));
      break;
    case 3:
      bytes.erase(at, length);
      break;
    case 4:
      bytes.insert(below(random, bytes.size() + 1), std::string(bytes, at, length));
      break;
    case 5:
      bytes.resize(at);
      break;
    case 6:
      bytes.insert(at, below(random, 200), some_byte(random));
      break;
    default: {
      const std::string& other = inputs[below(random, inputs.size())].bytes;
      const std::size_t from = below(random, other.size() + 1);
      bytes.insert(at, other, from, below(random, 256));
    }
  }
}

std::string mutated(const Input& input, const std::vector<Input>& inputs, Random& random) {
  std::string bytes = input.bytes;
  for (std::size_t left = 1 + below(random, 6); left > 0; --left) mutate_once(bytes, inputs, random);
  if (bytes.size() > kMaxMutated) bytes.resize(kMaxMutated);
  return bytes;
}

// In rounds over all files, so that being stopped early is the same loss for each.
int run_mutations(const std::vector<Input>& inputs) {
  const auto stop = std::chrono::steady_clock::now() + kMutationTime;
  int count = 0;
  for (int round = 0; round < kMutationsOfEach; ++round) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      Random random(static_cast<std::uint32_t>(round) * 2654435761u + static_cast<std::uint32_t>(i) + 1);
      run(mutated(inputs[i], inputs, random));
      ++count;
      if (std::chrono::steady_clock::now() > stop) return count;
    }
  }
  return count;
}

void run_random() {
  Random random(20250618);
  for (int i = 0; i < kRandomInputs; ++i) {
    std::string bytes(below(random, 512), '\0');
    for (char& byte : bytes) byte = some_byte(random);
    run(bytes);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s CORPUS...\n", argv[0]);
    return EXIT_FAILURE;
  }
  std::vector<Input> inputs;
  for (int i = 1; i < argc; ++i) {
    if (!read_inputs(argv[i], inputs)) return EXIT_FAILURE;
  }
  for (const Input& input : inputs) run(input.bytes);
  run("");
  run_random();
  const int count = run_mutations(inputs);
  std::printf("replay: %zu files, %d mutations, %d random inputs\n", inputs.size(), count, kRandomInputs + 1);
  return EXIT_SUCCESS;
}
