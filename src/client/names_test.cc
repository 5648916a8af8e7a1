#include "client/names.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <map>
#include <thread>

#include "base/fd.h"
#include "base/testing.h"

namespace mcptrace::client {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

struct Zone {
  std::map<std::string, std::vector<std::string>> addresses = {};  // of names
  std::uint32_t ttl = 30;
  bool silent = false;
};

std::uint16_t bind_to_any(int fd) {
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

// RFC 1035, as far as one question and its addresses.
class NameServer {
 public:
  explicit NameServer(Zone zone)
      : zone_(std::move(zone)), fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), port_(bind_to_any(fd_.get())) {
    thread_ = std::thread([this] { serve(); });
  }
  ~NameServer() {
    ending_ = true;
    const UniqueFd waker(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const sockaddr_in to{
        .sin_family = AF_INET, .sin_port = htons(port_), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    sendto(waker.get(), "", 0, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
    thread_.join();
  }
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;

  [[nodiscard]] std::string place() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int questions() const { return questions_; }

 private:
  void serve() {
    for (;;) {
      std::array<char, 1024> bytes;
      sockaddr_in from{};
      socklen_t size = sizeof(from);
      const ssize_t got = recvfrom(fd_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (ending_ || got < 0) return;
      ++questions_;
      if (zone_.silent) continue;
      const std::string reply = answer(std::string(bytes.data(), static_cast<std::size_t>(got)));
      sendto(fd_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }

  [[nodiscard]] std::string answer(const std::string& question) const {
    std::string name;
    std::size_t at = 12;
    while (question.at(at) != 0) {
      const auto length = static_cast<std::size_t>(question.at(at));
      name += (name.empty() ? "" : ".") + question.substr(at + 1, length);
      at += length + 1;
    }
    const char type = question.at(at + 2);
    const auto found = zone_.addresses.find(name);
    std::string records;
    char count = 0;
    for (const std::string& address : found == zone_.addresses.end() ? std::vector<std::string>() : found->second) {
      std::array<char, 16> bits;
      const bool six = address.contains(':');
      if (type != (six ? 28 : 1)) continue;
      inet_pton(six ? AF_INET6 : AF_INET, address.c_str(), bits.data());
      const std::uint32_t ttl = htonl(zone_.ttl);
      records += std::string("\xc0\x0c\0", 3) + type + std::string("\0\1", 2);
      records.append(reinterpret_cast<const char*>(&ttl), 4).append(six ? "\0\x10" : "\0\4", 2);
      records.append(bits.data(), six ? 16 : 4);
      ++count;
    }
    const char code = found == zone_.addresses.end() ? 3 : 0;
    return question.substr(0, 2) + '\x81' + static_cast<char>(0x80 | code) + std::string("\0\1\0", 3) + count +
           std::string(4, 0) + question.substr(12, at + 5 - 12) + records;
  }

  Zone zone_;
  UniqueFd fd_;
  std::uint16_t port_;
  std::atomic<int> questions_ = 0;
  std::atomic<bool> ending_ = false;
  std::thread thread_;
};

class NamesTest : public testing::Test {
 protected:
  static Result<Addresses> find(Names& names, const std::string& host) {
    for (;;) {
      if (auto found = names.find(host)) {
        names.forget_failures();
        return *std::move(found);
      }
      std::vector<pollfd> polled;
      names.add_to(polled);
      const auto patience = std::chrono::ceil<std::chrono::milliseconds>(names.patience());
      poll(polled.data(), polled.size(), static_cast<int>(patience.count()));
      names.process(polled);
    }
  }

  ManualClock clock;
};

TEST_F(NamesTest, AddressesAndLocalhostAreKnown) {
  Names names(clock);
  EXPECT_THAT(**names.find("10.0.0.1"), ElementsAre("10.0.0.1"));
  EXPECT_THAT(**names.find("fd00:0::1"), ElementsAre("[fd00::1]"));
  for (const char* local : {"localhost", "localhost.", "a.localhost"}) {
    EXPECT_THAT(**names.find(local), ElementsAre("127.0.0.1", "[::1]"));
  }
}

TEST_F(NamesTest, BothFamiliesAreAskedFor) {
  NameServer server({.addresses = {{"a.test", {"10.0.0.1", "10.0.0.2", "fd00::1"}}, {"b.test", {"10.0.0.3"}}}});
  Names names(clock, server.place());
  EXPECT_THAT(*find(names, "a.test."), UnorderedElementsAre("10.0.0.1", "10.0.0.2", "[fd00::1]"));
  EXPECT_THAT(*find(names, "b.test."), ElementsAre("10.0.0.3"));
}

TEST_F(NamesTest, AnAnswerIsKeptForAsLongAsItSays) {
  NameServer server({.addresses = {{"a.test", {"10.0.0.1"}}}, .ttl = 30});
  Names names(clock, server.place());
  ASSERT_TRUE(find(names, "a.test."));
  const int asked = server.questions();
  clock.advance(seconds(29));
  ASSERT_TRUE(find(names, "a.test."));
  EXPECT_EQ(server.questions(), asked);
  clock.advance(seconds(1));
  ASSERT_TRUE(find(names, "a.test."));
  EXPECT_GT(server.questions(), asked);
}

TEST_F(NamesTest, AtLeastFiveSecondsAtMostAMinute) {
  for (const auto& [ttl, kept] : {std::pair(0u, seconds(5)), std::pair(1'000'000u, seconds(60))}) {
    NameServer server({.addresses = {{"a.test", {"10.0.0.1"}}}, .ttl = ttl});
    Names names(clock, server.place());
    ASSERT_TRUE(find(names, "a.test."));
    const int asked = server.questions();
    clock.advance(kept - Nanos(1));
    ASSERT_TRUE(find(names, "a.test."));
    EXPECT_EQ(server.questions(), asked);
    clock.advance(Nanos(1));
    ASSERT_TRUE(find(names, "a.test."));
    EXPECT_GT(server.questions(), asked);
  }
}

TEST_F(NamesTest, ANameThatIsNotThereIsAskedForAgain) {
  NameServer server({});
  Names names(clock, server.place());
  const auto found = find(names, "nothing.test.");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message, "there is no such name");
  const int asked = server.questions();
  EXPECT_FALSE(find(names, "nothing.test."));
  EXPECT_GT(server.questions(), asked);
}

TEST_F(NamesTest, OneNameIsAskedForOnce) {
  NameServer server({.silent = true});
  Names names(clock, server.place());
  EXPECT_FALSE(names.find("a.test."));
  std::vector<pollfd> first, second;
  names.add_to(first);
  EXPECT_FALSE(names.find("a.test."));
  names.add_to(second);
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(first.size(), second.size());
}

TEST_F(NamesTest, WhoDoesNotAnswerIsNotWaitedForLong) {
  NameServer server({.silent = true});
  Names names(clock, server.place());
  EXPECT_FALSE(names.find("a.test."));
  EXPECT_LE(names.patience(), seconds(10));
  clock.advance(seconds(10));
  names.process({});
  const auto found = names.find("a.test.");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->error().message, "no name server answered");
  // What is under way ends with it.
  names.forget_failures();
  EXPECT_FALSE(names.find("a.test."));
}

}  // namespace
}  // namespace mcptrace::client
