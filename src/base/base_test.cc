#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sodium/crypto_auth_hmacsha256.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/ids.h"
#include "base/keyed_hash.h"
#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "base/testing.h"

namespace mcptrace {
namespace {

using namespace std::chrono_literals;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
  explicit Pipe(int flags = O_CLOEXEC) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, flags), 0);
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
};

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

std::string read_all(int fd) {
  std::string text;
  char block[4096];
  for (ssize_t got; (got = ::read(fd, block, sizeof(block))) > 0;) text.append(block, static_cast<std::size_t>(got));
  return text;
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string path = std::filesystem::temp_directory_path() / "mcptrace-base-XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    path_ = path;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] std::string file(const std::string& name, std::string_view bytes) const {
    std::string path = path_ / name;
    const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    EXPECT_TRUE(write_all(fd.get(), bytes));
    return path;
  }
  [[nodiscard]] std::string path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// --- result ---------------------------------------------------------------------------------------------------------

Result<int> half(int number) {
  if (number % 2 != 0) return std::unexpected(Error{Errc::kInvalidArgument, std::to_string(number) + " is odd"});
  return number / 2;
}
Result<int> quarter(int number) {
  MCPTRACE_TRY(const int first, half(number));
  MCPTRACE_TRY(const int second, half(first));
  return second;
}
Result<> must_be_even(int number) {
  MCPTRACE_TRY_VOID(half(number));
  return {};
}

TEST(Result, TryPassesValuesAndErrorsOn) {
  EXPECT_EQ(quarter(12), 3);
  EXPECT_EQ(quarter(6).error().message, "3 is odd");
  EXPECT_EQ(quarter(5).error().message, "5 is odd");
  EXPECT_EQ(quarter(5).error().code, Errc::kInvalidArgument);
  EXPECT_TRUE(must_be_even(2));
  EXPECT_EQ(must_be_even(7).error().message, "7 is odd");
}

TEST(Result, ContextGoesInFrontAndKeepsTheCode) {
  const Error error = Error{Errc::kCorrupt, "bad magic"}.with_context("file a").with_context("opening");
  EXPECT_EQ(error.message, "opening: file a: bad magic");
  EXPECT_EQ(error.code, Errc::kCorrupt);
}

TEST(Result, ErrnoErrorCarriesTheSystemsText) {
  const Error error = errno_error("/x", ENOSPC);
  EXPECT_EQ(error.code, Errc::kIo);
  EXPECT_EQ(error.message, "/x: No space left on device");
}

TEST(CheckDeathTest, SaysWhereAndAborts) {
  MCPTRACE_CHECK(1 + 1 == 2);
  EXPECT_DEATH(MCPTRACE_CHECK(1 + 1 == 3), "mcptrace: bug at .*base_test.cc:[0-9]+: 1 \\+ 1 == 3 does not hold");
}

// --- ids ------------------------------------------------------------------------------------------------------------

TEST(Ids, HexRoundTripOfEveryByte) {
  std::array<std::uint8_t, 256> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
  const std::string text = to_hex(bytes);
  EXPECT_EQ(text.size(), 512u);
  EXPECT_EQ(text.substr(0, 8), "00010203");
  EXPECT_EQ(text.substr(2 * 0xab, 4), "abac");
  std::array<std::uint8_t, 256> back{};
  ASSERT_TRUE(parse_hex(text, back));
  EXPECT_EQ(back, bytes);
}

TEST(Ids, ParseHexAcceptsExactlyTheDigits) {
  for (int c = 0; c < 256; ++c) {
    const auto digit = static_cast<char>(c);
    const bool lower = (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f');
    const bool upper = digit >= 'A' && digit <= 'F';
    std::array<std::uint8_t, 2> out;
    for (std::size_t place = 0; place < 4; ++place) {
      std::string text = "0000";
      text[place] = digit;
      EXPECT_EQ(parse_hex(text, out), lower) << c << " at " << place;
      EXPECT_EQ(parse_hex(text, out, true), lower || upper) << c << " at " << place;
    }
  }
}

TEST(Ids, ParseHexWantsTheExactLength) {
  std::array<std::uint8_t, 2> out{};
  EXPECT_FALSE(parse_hex("", out));
  EXPECT_FALSE(parse_hex("abc", out));
  EXPECT_FALSE(parse_hex("abcde", out));
  EXPECT_TRUE(parse_hex("AbCd", out, true));
  EXPECT_EQ(out, (std::array<std::uint8_t, 2>{0xab, 0xcd}));
  EXPECT_TRUE(parse_hex("", std::span<std::uint8_t>{}));
}

TEST(Ids, ZeroOrderAndHash) {
  TraceId a;
  EXPECT_TRUE(a.is_zero());
  a.bytes[15] = 1;
  EXPECT_FALSE(a.is_zero());
  TraceId b = a;
  EXPECT_EQ(a, b);
  b.bytes[0] = 1;
  EXPECT_LT(a, b);
  EXPECT_EQ(a.hex(), "00000000000000000000000000000001");
  std::unordered_set<SpanId> ids;
  SeededRandom random(1);
  for (int i = 0; i < 1000; ++i) ids.insert(random.span_id());
  EXPECT_EQ(ids.size(), 1000u);
}

// --- keyed_hash -----------------------------------------------------------------------------------------------------

std::array<std::uint8_t, 32> secret_of(std::uint8_t first) {
  std::array<std::uint8_t, 32> secret;
  for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<std::uint8_t>(first + i);
  return secret;
}

// What KeyedHash computes, made from libsodium's one-shot: the message is the domain as a field, then the updates.
// What is left of a T where it lay, once it has gone.
template <class T, class... Args>
std::string remains(const Args&... args) {
  alignas(T) std::array<unsigned char, sizeof(T)> place{};
  T* const object = new (place.data()) T(args...);
  EXPECT_NE(std::string(place.begin(), place.end()), std::string(sizeof(T), '\0'));
  object->~T();
  return {place.begin(), place.end()};
}

TEST(KeyedHash, LeavesNothingOfTheSecret) {
  Secret secret;
  secret.fill(0x5a);
  const HashKey key(secret);
  EXPECT_EQ(remains<Secret>(secret), std::string(sizeof(Secret), '\0'));
  EXPECT_EQ(remains<HashKey>(secret), std::string(sizeof(HashKey), '\0'));
  EXPECT_EQ(remains<HashKey>(key), std::string(sizeof(HashKey), '\0'));
  EXPECT_EQ(remains<KeyedHash>(key, "domain"), std::string(sizeof(KeyedHash), '\0'));
}

Digest one_shot(const std::array<std::uint8_t, 32>& secret, const std::string& domain, const std::string& bytes) {
  std::string message(8, '\0');
  message[0] = static_cast<char>(domain.size());
  message += domain + bytes;
  Digest digest;
  crypto_auth_hmacsha256(digest.data(), reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                         secret.data());
  return digest;
}

// RFC 4231, test case 1, by the streaming interface that KeyedHash uses: the primitive is the one that it is said to
// be.
TEST(KeyedHash, PrimitiveIsHmacSha256) {
  std::array<std::uint8_t, 20> key;
  key.fill(0x0b);
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, key.data(), key.size());
  crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>("Hi "), 3);
  crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>("There"), 5);
  Digest digest;
  crypto_auth_hmacsha256_final(&state, digest.data());
  EXPECT_EQ(to_hex(digest), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

TEST(KeyedHash, EqualsTheOneShotHoweverItIsCut) {
  const auto secret = secret_of(7);
  const HashKey key(secret);
  std::string text;
  for (int i = 0; i < 300; ++i) text.push_back(static_cast<char>(i));
  const Digest expected = one_shot(secret, "error-message", text);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    KeyedHash hash(key, "error-message");
    hash.update(std::string_view(text).substr(0, cut));
    hash.update(std::string_view(text).substr(cut));
    EXPECT_EQ(hash.finish(), expected) << cut;
  }
}

TEST(KeyedHash, Finish64IsTheFirstEightBytesBigEndian) {
  const HashKey key(secret_of(1));
  KeyedHash first(key, "d"), second(key, "d");
  first.update("x"), second.update("x");
  const Digest digest = first.finish();
  EXPECT_EQ(hex64(second.finish64()), to_hex(std::span(digest).first(8)));
}

TEST(KeyedHash, SecretDomainAndFieldBoundariesMatter) {
  const HashKey one(secret_of(1)), two(secret_of(2));
  const auto of = [](const HashKey& key, std::string_view domain, const std::vector<std::string_view>& fields) {
    KeyedHash hash(key, domain);
    for (const std::string_view field : fields) hash.update_field(field);
    return hash.finish();
  };
  const std::set<Digest> all{of(one, "a", {"ab", "c"}), of(one, "a", {"a", "bc"}), of(one, "a", {"abc"}),
                             of(one, "b", {"abc"}),     of(two, "a", {"abc"}),     of(one, "a", {"abc", ""})};
  EXPECT_EQ(all.size(), 6u);
  EXPECT_EQ(of(one, "a", {"abc"}), of(HashKey(secret_of(1)), "a", {"abc"}));
}

TEST(KeyedHash, HexForms) {
  EXPECT_EQ(hex64(0x0123456789abcdef), "0123456789abcdef");
  EXPECT_EQ(hex64(1), "0000000000000001");
  EXPECT_EQ(hex32_of(0x0123456789abcdef), "01234567");
}

TEST(Mix64, SpreadsEveryByteAndTheSeed) {
  std::set<std::uint64_t> seen;
  const std::string zeros(64, '\0');
  for (std::size_t length = 0; length <= zeros.size(); ++length) {
    seen.insert(mix64(std::string_view(zeros).substr(0, length), 1));
  }
  for (std::size_t i = 0; i < zeros.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string text = zeros;
      text[i] = static_cast<char>(1 << bit);
      seen.insert(mix64(text, 1));
    }
  }
  seen.insert(mix64(zeros, 2));
  EXPECT_EQ(seen.size(), 65u + 64 * 8 + 1);
  EXPECT_EQ(mix64("abc", 5), mix64(std::string("abc"), 5));
}

// Tables use the low bits: they must not collide more than chance does.
TEST(Mix64, LowBitsAreUsable) {
  std::vector<int> buckets(256);
  for (int i = 0; i < 256 * 64; ++i) ++buckets[mix64(std::to_string(i), 9) & 255];
  for (const int count : buckets) EXPECT_THAT(count, testing::AllOf(testing::Gt(24), testing::Lt(128)));
}

// --- log ------------------------------------------------------------------------------------------------------------

TEST(Log, OneLineAReasonAndProcess) {
  Pipe pipe;
  Log log(pipe.write.get());
  log.once(LogReason::kDropped, "first");
  log.once(LogReason::kDropped, "again");
  log.once(LogReason::kSpoolWrite, "second");
  log.once(LogReason::kDropped, "and again");
  pipe.write.reset();
  EXPECT_EQ(read_all(pipe.read.get()), "mcptrace: first\nmcptrace: second\n");
}

TEST(Log, EveryReasonHasABitOfItsOwn) {
  Pipe pipe;
  Log log(pipe.write.get());
  std::string expected;
  for (unsigned i = 0; i < static_cast<unsigned>(LogReason::kCount); ++i) {
    log.once(static_cast<LogReason>(i), std::to_string(i));
    expected += "mcptrace: " + std::to_string(i) + "\n";
  }
  pipe.write.reset();
  EXPECT_EQ(read_all(pipe.read.get()), expected);
}

TEST(Log, ControlsBecomeSpacesAndTextIsCut) {
  Pipe pipe;
  Log log(pipe.write.get());
  log.once(LogReason::kChild, "a\nb\x1b[31mc\td\x7f\xc3\xa9");
  log.once(LogReason::kDropped, std::string(10000, 'x'));
  pipe.write.reset();
  const std::string text = read_all(pipe.read.get());
  const std::size_t end = text.find('\n');
  EXPECT_EQ(text.substr(0, end + 1), "mcptrace: a b [31mc d \xc3\xa9\n");
  const std::string second = text.substr(end + 1);
  EXPECT_EQ(second.size(), 512u);
  EXPECT_EQ(second.find('\n'), 511u);
}

// The pipe is blocking and full: a write(2) would wait for ever, and this test with it.
TEST(Log, AFullPipeCostsTheLineAndNoTime) {
  Pipe pipe(O_CLOEXEC | O_NONBLOCK);
  const std::string block(4096, 'f');
  while (::write(pipe.write.get(), block.data(), block.size()) > 0) {
  }
  ASSERT_EQ(errno, EAGAIN);
  ASSERT_EQ(fcntl(pipe.write.get(), F_SETFL, 0), 0);
  Log log(pipe.write.get());
  log.once(LogReason::kDropped, "lost");
  pipe.write.reset();
  EXPECT_EQ(read_all(pipe.read.get()).find_first_not_of('f'), std::string::npos);
}

TEST(Log, AClosedDescriptorIsNoError) {
  Log(-1).once(LogReason::kDropped, "nobody listens");
  Log(1 << 20).once(LogReason::kDropped, "nor here");
}

TEST(Log, ThreadsSayAReasonOnce) {
  Pipe pipe;
  Log log(pipe.write.get());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&log] { log.once(LogReason::kDropped, "said"); });
  for (std::thread& thread : threads) thread.join();
  pipe.write.reset();
  EXPECT_EQ(read_all(pipe.read.get()), "mcptrace: said\n");
}

// --- fd -------------------------------------------------------------------------------------------------------------

TEST(UniqueFd, ClosesOnceAndMoves) {
  Pipe pipe;
  const int raw = pipe.read.get();
  UniqueFd moved = std::move(pipe.read);
  EXPECT_TRUE(is_open(raw));
  EXPECT_EQ(moved.get(), raw);
  const int other = pipe.write.get();
  moved = std::move(pipe.write);
  EXPECT_FALSE(is_open(raw));
  EXPECT_TRUE(is_open(other));
  {
    const UniqueFd scoped(moved.release());
  }
  EXPECT_FALSE(moved.valid());
  EXPECT_FALSE(is_open(other));
}

TEST(WriteAll, WritesEverythingThroughASmallPipe) {
  Pipe pipe;
  std::string bytes(3 << 20, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 4096);
  std::string received;
  std::thread reader([&] { received = read_all(pipe.read.get()); });
  EXPECT_TRUE(write_all(pipe.write.get(), bytes));
  pipe.write.reset();
  reader.join();
  EXPECT_TRUE(received == bytes) << received.size();
}

TEST(WriteAll, SaysWhyItFailed) {
  Pipe pipe;
  const Result<> result = write_all(pipe.read.get(), "x");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::kIo);
  EXPECT_EQ(result.error().message, "write: Bad file descriptor");
  EXPECT_TRUE(write_all(pipe.read.get(), "")) << "nothing to write is no call at all";
}

TEST(ReadFile, TakesUpToTheLimitAndNoMore) {
  const TemporaryDirectory directory;
  for (const std::size_t size : {0uz, 1uz, 16383uz, 16384uz, 16385uz, 100000uz}) {
    const std::string bytes(size, 'q');
    const std::string path = directory.file("f", bytes);
    EXPECT_EQ(read_file(path, size), bytes);
    EXPECT_EQ(read_file(path, size + 1), bytes);
    if (size == 0) continue;
    const Result<std::string> over = read_file(path, size - 1);
    ASSERT_FALSE(over);
    EXPECT_EQ(over.error().code, Errc::kLimit);
    EXPECT_THAT(over.error().message, testing::HasSubstr(path));
  }
}

TEST(ReadFile, TellsMissingFromUnreadable) {
  const TemporaryDirectory directory;
  EXPECT_EQ(read_file(directory.path() + "/none", 10).error().code, Errc::kNotFound);
  EXPECT_EQ(read_file(directory.path(), 10).error().code, Errc::kIo);
}

// --- clock ----------------------------------------------------------------------------------------------------------

TEST(ManualClock, MovesOnlyByHand) {
  ManualClock clock({10s, 1s});
  EXPECT_EQ(clock.wall(), 10s);
  clock.advance(5ns);
  EXPECT_EQ(clock.wall(), 10s + 5ns);
  EXPECT_EQ(clock.boot(), 1s + 5ns);
  clock.jump_wall(-1h);
  EXPECT_EQ(clock.now().wall, 10s + 5ns - 1h);
  EXPECT_EQ(clock.now().boot, 1s + 5ns);
  clock.set({2s, 3s});
  EXPECT_EQ(clock.now().wall, 2s);
  EXPECT_EQ(clock.now().boot, 3s);
}

TEST(SystemClock, BootTimeNeverGoesBackAndIsNotWallTime) {
  const SystemClock clock;
  Nanos last = clock.boot();
  for (int i = 0; i < 1000; ++i) {
    const Nanos now = clock.boot();
    ASSERT_GE(now, last);
    last = now;
  }
  EXPECT_GT(clock.wall(), std::chrono::hours(24 * 365 * 50)) << "nanoseconds since 1970";
  EXPECT_NE(clock.wall(), clock.boot());
}

// --- random ---------------------------------------------------------------------------------------------------------

TEST(SeededRandom, TheSameSeedGivesTheSameNumbers) {
  SeededRandom a(42), b(42), c(43);
  for (int i = 0; i < 10; ++i) {
    const TraceId id = a.trace_id();
    EXPECT_EQ(id, b.trace_id());
    EXPECT_NE(id, c.trace_id());
  }
}

TEST(SeededRandom, FillsOddSizesWhole) {
  for (std::size_t size = 0; size < 40; ++size) {
    // Each byte is non-zero in one of a few tries, or it is never written.
    std::vector<std::uint8_t> seen(size + 1);
    SeededRandom random(size);
    for (int attempt = 0; attempt < 8; ++attempt) {
      std::vector<std::uint8_t> out(size + 1);
      random.fill(std::span(out).first(size));
      for (std::size_t i = 0; i <= size; ++i) seen[i] |= out[i];
    }
    for (std::size_t i = 0; i < size; ++i) EXPECT_NE(seen[i], 0) << i << " of " << size;
    EXPECT_EQ(seen[size], 0) << "written beyond the end";
  }
}

// Ids are made again where they come out as zero.
TEST(Random, IdsAreNeverZero) {
  class ZeroesFirst final : public Random {
   public:
    void fill(std::span<std::uint8_t> out) override {
      for (std::uint8_t& byte : out) byte = calls_ < 3 ? 0 : 9;
      ++calls_;
    }

   private:
    int calls_ = 0;
  };
  EXPECT_EQ(ZeroesFirst().span_id().hex(), "0909090909090909");
  EXPECT_EQ(ZeroesFirst().trace_id().hex(), "09090909090909090909090909090909");
}

TEST(SystemRandom, DoesNotRepeatAcrossBlocks) {
  SystemRandom random;
  std::unordered_set<TraceId> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(random.trace_id());
  EXPECT_EQ(ids.size(), 1000u);
  SystemRandom other;
  std::array<std::uint8_t, 512> whole{}, again{};
  other.fill(whole);
  other.fill(again);
  EXPECT_NE(whole, again);
}

}  // namespace
}  // namespace mcptrace
