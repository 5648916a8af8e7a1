// HTTP/2 as gRPC uses it, against a server of a few frames (RFC 9113).
#include <gmock/gmock.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "client/client_fixture.h"

namespace mcptrace::client {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Pair;
using testing::StartsWith;

enum FrameType : unsigned char { kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kWindowUpdate = 8 };
constexpr unsigned char kAck = 1, kEndStream = 1, kEndHeaders = 4;

struct Frame {
  unsigned char type = 0, flags = 0;
  std::uint32_t stream = 0;
  std::string payload = {};
};

void write_frame(Peer& peer, const Frame& frame) {
  std::string bytes;
  for (const int shift : {16, 8, 0}) bytes += static_cast<char>(frame.payload.size() >> shift);
  bytes += static_cast<char>(frame.type);
  bytes += static_cast<char>(frame.flags);
  for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(frame.stream >> shift);
  peer.write(bytes + frame.payload);
}

std::optional<Frame> read_frame(Peer& peer) {
  const std::string head = peer.read_exactly(9);
  if (head.size() < 9) return std::nullopt;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(head[at]); };
  Frame frame{.type = byte(3), .flags = byte(4)};
  for (std::size_t at = 5; at < 9; ++at) frame.stream = frame.stream << 8 | byte(at);
  const std::size_t size = std::size_t{byte(0)} << 16 | std::size_t{byte(1)} << 8 | byte(2);
  frame.payload = peer.read_exactly(size);
  return frame;
}

// HPACK, a literal without indexing (RFC 7541 6.2.2).
std::string field(std::string_view name, std::string_view value) {
  std::string bytes(1, 0);
  for (const std::string_view part : {name, value}) {
    bytes += static_cast<char>(part.size());
    bytes += part;
  }
  return bytes;
}
constexpr std::string_view kStatus200 = "\x88";

using Respond = std::function<void(Peer&, std::uint32_t stream, const std::string& body)>;

// Answers whole requests.
TestServer::Serve speak_http2(Respond respond) {
  return [respond](Peer& peer) {
    if (peer.read_exactly(24) != "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") return;
    write_frame(peer, {.type = kSettings});
    write_frame(peer, {.type = kWindowUpdate, .payload = std::string("\x3f\0\0\0", 4)});
    std::map<std::uint32_t, std::string> bodies;
    while (const auto frame = read_frame(peer)) {
      if (frame->type == kSettings && (frame->flags & kAck) == 0) write_frame(peer, {.type = kSettings, .flags = kAck});
      if (frame->type == kData) bodies[frame->stream] += frame->payload;
      if (frame->type > kHeaders || (frame->flags & kEndStream) == 0) continue;
      respond(peer, frame->stream, bodies[frame->stream]);
    }
  };
}

void answer_in_grpc(Peer& peer, std::uint32_t stream, const std::string& body) {
  const std::string head = std::string(kStatus200) + field("content-type", "application/grpc");
  write_frame(peer, {.type = kHeaders, .flags = kEndHeaders, .stream = stream, .payload = head});
  write_frame(peer, {.type = kData, .stream = stream, .payload = body});
  write_frame(peer, {.type = kHeaders,
                     .flags = kEndHeaders | kEndStream,
                     .stream = stream,
                     .payload = field("grpc-status", "14") + field("grpc-message", "later")});
}

class ClientHttp2Test : public ClientTest {
 protected:
  Request request(const TestServer& server) {
    return {.url = server.url("/Export"),
            .headers = {{"content-type", "application/grpc"}, {"te", "trailers"}},
            .body = "message",
            .http2 = true};
  }
  void ask_often(const Request& request) {
    int answers = 0;
    for (int i = 0; i < 50; ++i) {
      Request one = request;
      one.body = std::string(1000, static_cast<char>('a' + i % 26));
      client.start(one, [&, body = one.body](const Answer& answer) {
        EXPECT_TRUE(answer) << answer.error().message;
        EXPECT_TRUE(!answer || answer->body == body);
        ++answers;
      });
    }
    while (answers < 50) client.run(std::chrono::seconds(10));
  }
};

TEST_F(ClientHttp2Test, TrailersAreTold) {
  TestServer server(speak_http2(answer_in_grpc));
  for (int again = 0; again < 3; ++again) {
    const Answer answer = ask(request(server));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "message");
    EXPECT_THAT(answer->headers, Contains(Pair("content-type", "application/grpc")));
    EXPECT_THAT(answer->trailers, ElementsAre(Pair("grpc-status", "14"), Pair("grpc-message", "later")));
  }
}

TEST_F(ClientHttp2Test, AnAnswerMayBeAHeadAlone) {
  TestServer server(speak_http2([](Peer& peer, std::uint32_t stream, const std::string&) {
    write_frame(peer, {.type = kHeaders,
                       .flags = kEndHeaders | kEndStream,
                       .stream = stream,
                       .payload = std::string(kStatus200) + field("grpc-status", "16")});
  }));
  const Answer answer = ask(request(server));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_THAT(answer->headers, Contains(Pair("grpc-status", "16")));
}

TEST_F(ClientHttp2Test, ManyAtOnce) {
  TestServer server(speak_http2(answer_in_grpc));
  ask_often(request(server));
}

TEST_F(ClientHttp2Test, OverTlsItIsAgreedUponAndShared) {
  TestAuthority authority;
  ServerTls settings{.files = authority.issue("server"), .alpn = "\x02h2"};
  TestServer server(speak_http2(answer_in_grpc), &settings);
  Request secure = request(server);
  secure.tls.ca = authority.ca();
  ask_often(secure);
  ask_often(secure);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(ClientHttp2Test, WhoSpeaksOnlyTheOldOneIsSaid) {
  TestServer plain(always("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(fail(request(plain)).step, Step::kReceive);
  TestAuthority authority;
  ServerTls settings{.files = authority.issue("server"), .alpn = "\x08http/1.1"};
  TestServer server(always(std::string(kOk)), &settings);
  Request secure = request(server);
  secure.tls.ca = authority.ca();
  EXPECT_FALSE(ask(secure));
}

TEST_F(ClientHttp2Test, AStreamMayEndEarly) {
  TestServer resets(speak_http2([](Peer& peer, std::uint32_t stream, const std::string&) {
    write_frame(peer, {.type = kReset, .stream = stream, .payload = std::string("\0\0\0\2", 4)});
  }));
  const Failure reset = fail(request(resets));
  EXPECT_EQ(reset.step, Step::kReceive);
  EXPECT_THAT(reset.message, StartsWith("no whole answer from " + resets.place() + ": HTTP/2 stream"));
  TestServer cuts([](Peer& peer) { peer.read_exactly(24 + 100); });
  EXPECT_EQ(fail(request(cuts)).step, Step::kReceive);
}

TEST_F(ClientHttp2Test, TrailersHaveABound) {
  TestServer server(speak_http2([](Peer& peer, std::uint32_t stream, const std::string&) {
    write_frame(peer, {.type = kHeaders, .flags = kEndHeaders, .stream = stream, .payload = std::string(kStatus200)});
    std::string fields;
    for (int i = 0; i < 2000; ++i) fields += field("x", std::string(100, 'y'));
    for (; fields.size() > 16'000; fields.erase(0, 16'000)) {
      const bool first = fields.size() > 2000u * 105 - 16'000;
      write_frame(peer, {.type = static_cast<unsigned char>(first ? kHeaders : 9),
                         .flags = first ? kEndStream : static_cast<unsigned char>(0),
                         .stream = stream,
                         .payload = fields.substr(0, 16'000)});
    }
    write_frame(peer, {.type = 9, .flags = kEndHeaders, .stream = stream, .payload = fields});
  }));
  const Failure failure = fail(request(server));
  EXPECT_TRUE(failure.step == Step::kTooLarge || failure.step == Step::kReceive) << failure.message;
}

TEST_F(ClientHttp2Test, APlainRequestGoesThroughATunnel) {
  TestServer server(speak_http2(answer_in_grpc));
  TestServer proxy([&](Peer& peer) {
    EXPECT_THAT(peer.read_request(), StartsWith("CONNECT " + server.place()));
    peer.write("HTTP/1.1 200 Connected\r\n\r\n");
    peer.tunnel_to(server.port());
  });
  Request through = request(server);
  through.proxy = "http://" + proxy.place();
  const Answer answer = ask(through);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, "message");
}

}  // namespace
}  // namespace mcptrace::client
