// The few names of Asio that this folder uses everywhere: one io_context, one thread, coroutines on it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

namespace mcptrace::http {

namespace asio = boost::asio;
using boost::system::error_code;
using Executor = asio::io_context::executor_type;  // not any_io_executor: that costs 2 % of a request
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
template <class T = void>
using Async = asio::awaitable<T, Executor>;
inline constexpr asio::use_awaitable_t<Executor> kAwait{};

// No descriptor or memory for another socket: something has to be closed first.
inline bool is_exhausted(const error_code& error) {
  return error == boost::system::errc::too_many_files_open ||
         error == boost::system::errc::too_many_files_open_in_system || error == boost::system::errc::no_buffer_space ||
         error == boost::system::errc::not_enough_memory;
}

// "Something happened": what one coroutine waits for while several reads, writes and timers are under way. Whoever
// fires it leaves what happened where the coroutine looks.
class Signal {
 public:
  void fire() {
    if (!waiter_) {
      fired_ = true;
      return;
    }
    Waiter waiter = std::move(*waiter_);
    waiter_.reset();
    std::move(waiter)();
  }
  // Was it fired since the last wait? Then there is nothing to wait for:
  //   if (!signal.take()) co_await signal.wait();
  [[nodiscard]] bool take() { return std::exchange(fired_, false); }
  [[nodiscard]] Async<> wait() {
    return asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
        [this](Waiter&& waiter) { waiter_.emplace(std::move(waiter)); }, kAwait);
  }

 private:
  using Waiter = asio::async_result<asio::use_awaitable_t<Executor>, void()>::handler_type;
  std::optional<Waiter> waiter_;
  bool fired_ = false;
};

// What a listener for both families calls ::ffff:1.2.3.4 is 1.2.3.4.
inline asio::ip::address unmapped(const asio::ip::address& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
}

// A time-out that fires a signal. Costs nothing until it is armed.
class Deadline {
 public:
  Deadline(Executor executor, Signal& signal) : timer_(executor), signal_(signal) {}
  ~Deadline() { clear(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void arm(std::chrono::nanoseconds from_now) {
    clear();
    armed_ = std::make_shared<Deadline*>(this);
    timer_.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(from_now));
    timer_.async_wait([armed = armed_](const error_code& error) {
      if (error || *armed == nullptr) return;
      (*armed)->over_ = true;
      (*armed)->signal_.fire();
    });
  }
  void clear() {
    over_ = false;
    if (!armed_) return;
    *armed_ = nullptr;  // a handler that is already on its way finds nobody
    armed_.reset();
    timer_.cancel();
  }
  [[nodiscard]] bool armed() const { return armed_ != nullptr; }
  [[nodiscard]] bool over() const { return over_; }

 private:
  Timer timer_;
  Signal& signal_;
  std::shared_ptr<Deadline*> armed_;
  bool over_ = false;
};

}  // namespace mcptrace::http
