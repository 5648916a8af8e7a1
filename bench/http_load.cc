#include "http_load.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <string_view>

#include "measure.h"

namespace mcptrace::bench {
namespace {

using Connections = std::vector<std::unique_ptr<Connection>>;
using std::chrono::nanoseconds;

double micros(Clock::duration time) { return std::chrono::duration<double, std::micro>(time).count(); }

// Waits on all of the connections, with the precision of a high resolution timer.
class Waiter {
 public:
  explicit Waiter(const Connections& connections) : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    for (std::size_t i = 0; i < connections.size(); ++i) {
      epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
      if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connections[i]->fd(), &event) != 0) fail("epoll_ctl failed");
    }
  }

  // Calls `use` with the index of each readable connection.
  template <class Use>
  void wait(Clock::time_point until, Use use) {
    const auto left = std::max(nanoseconds(0), nanoseconds(until - Clock::now())).count();
    const timespec time{left / 1'000'000'000, left % 1'000'000'000};
    epoll_event events[64];
    const int count = epoll_pwait2(epoll_.get(), events, 64, &time, nullptr);
    for (int i = 0; i < count; ++i) use(static_cast<std::size_t>(events[i].data.u64));
  }

 private:
  UniqueFd epoll_;
};

// Waits until the first event is there.
void await_event(Connection& stream) {
  std::string& body = stream.response().body();
  while (body.find("\n\n") == body.npos) {
    pollfd readable{stream.fd(), POLLIN, 0};
    if (poll(&readable, 1, 10'000) != 1) fail("a stream gave no event within 10 s");
    if (stream.receive()) fail("a stream ended");
  }
  if (stream.response().status() != 200) fail("a stream was refused");
}

// Takes the whole events out of `body`.
void take_events(std::string& body, Clock::time_point now, std::vector<double>& delays) {
  constexpr std::string_view kAt = "\"at\":";
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = body.find("\n\n", begin)) != body.npos; begin = end + 2) {
    const std::size_t at = body.find(kAt, begin);
    if (at > end) fail("an event is not as it was written");
    const Clock::time_point written{nanoseconds(std::strtoll(body.c_str() + at + kAt.size(), nullptr, 10))};
    delays.push_back(micros(now - written));
  }
  body.erase(0, begin);
}

}  // namespace

std::vector<std::string> open_sessions(std::uint16_t port, std::size_t count) {
  Connection connection(port);
  std::vector<std::string> sessions;
  while (sessions.size() < count) sessions.push_back(initialize(connection, port));
  return sessions;
}

std::vector<double> call_at_rate(std::uint16_t port, std::size_t connections, std::size_t rate, std::size_t calls) {
  Connections all;
  std::vector<std::string> sessions;
  std::deque<std::size_t> idle;
  for (std::size_t i = 0; i < connections; ++i) {
    all.push_back(std::make_unique<Connection>(port));
    sessions.push_back(initialize(*all.back(), port));
    idle.push_back(i);
  }
  Waiter waiter(all);
  std::vector<Clock::time_point> since(connections);
  std::vector<double> times;
  const auto start = Clock::now() + std::chrono::milliseconds(10);
  const auto due = [&](std::size_t call) { return start + nanoseconds(1'000'000'000 / rate) * call; };
  const auto end = due(calls) + std::chrono::seconds(10);
  std::size_t sent = 0;
  while (times.size() < calls) {
    for (; sent < calls && !idle.empty() && due(sent) <= Clock::now(); ++sent) {
      const std::size_t i = idle.front();
      idle.pop_front();
      since[i] = due(sent);
      all[i]->send(post(port, "/mcp", sessions[i], tool_call(sent, 1024)));
    }
    waiter.wait(sent < calls && !idle.empty() ? due(sent) : end, [&](std::size_t i) {
      if (!all[i]->receive()) return;
      times.push_back(micros(Clock::now() - since[i]));
      if (all[i]->response().status() != 200) fail("a call was refused");
      idle.push_back(i);
    });
    if (Clock::now() > end) fail("calls were not answered within 10 s");
  }
  return times;
}

std::vector<double> event_delays(std::uint16_t port, std::size_t streams, std::size_t rate, std::chrono::seconds time) {
  Connections all;
  const std::string target = "/events/" + std::to_string(rate);
  for (std::size_t i = 0; i < streams; ++i) {
    all.push_back(std::make_unique<Connection>(port));
    const std::string session = initialize(*all.back(), port);
    all.back()->send(i % 2 == 0 ? get(port, target, session) : post(port, target, session, tool_call(i, 1024)));
    await_event(*all.back());
    all.back()->response().body().clear();
  }
  Waiter waiter(all);
  std::vector<double> delays;
  for (const auto end = Clock::now() + time; Clock::now() < end;) {
    waiter.wait(end, [&](std::size_t i) {
      if (all[i]->receive()) fail("a stream ended");
      take_events(all[i]->response().body(), Clock::now(), delays);
    });
  }
  const auto expected = static_cast<std::size_t>(time.count()) * streams * rate;
  if (delays.size() < expected * 95 / 100) {
    fail("only " + std::to_string(delays.size()) + " of some " + std::to_string(expected) + " events came");
  }
  return delays;
}

void IdleStreams::open(std::size_t count) {
  for (const std::size_t all = streams_.size() + count; streams_.size() < all;) {
    streams_.push_back(std::make_unique<Connection>(port_));
    Connection& stream = *streams_.back();
    const std::string session = initialize(stream, port_);
    stream.send(get(port_, "/events/0", session));
    await_event(stream);
  }
}

}  // namespace mcptrace::bench
