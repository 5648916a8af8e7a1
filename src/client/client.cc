#include "client/client.h"

#include <algorithm>
#include <mutex>

#include "base/check.h"
#include "client/handles.h"
#include "client/names.h"
#include "client/transfer.h"

namespace mcptrace::client {
namespace {

void start_libcurl() {
  static std::once_flag once;
  std::call_once(once, [] { MCPTRACE_CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
}

MultiHandle make_multi(std::size_t most_connections) {
  start_libcurl();
  MultiHandle multi(curl_multi_init());
  MCPTRACE_CHECK(multi != nullptr);
  const long most = static_cast<long>(std::max<std::size_t>(most_connections, 1));
  curl_multi_setopt(multi.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS, most);
  curl_multi_setopt(multi.get(), CURLMOPT_MAXCONNECTS, most);
  return multi;
}

}  // namespace

class Client::Impl {
 public:
  Impl(Environment environment, ClientOptions options)
      : environment_(std::move(environment)), multi_(make_multi(options.most_connections)) {}
  ~Impl() {
    for (const auto& transfer : transfers_) leave(*transfer);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void start(Request request, Done done);
  void run(Nanos timeout, int wake_fd);
  [[nodiscard]] std::size_t under_way() const { return transfers_.size() + ended_.size(); }

 private:
  struct Ended {
    Done done;
    Answer answer;
  };

  void advance();
  void look_up();
  void take_answers();
  void drop_late();
  bool call_back();
  void wait(Nanos timeout, int wake_fd);
  void leave(const Transfer& transfer);
  template <class Over>
  void end_those(Over over);

  SystemClock clock_;
  Environment environment_;
  MultiHandle multi_;
  Names names_{clock_};
  std::vector<std::unique_ptr<Transfer>> transfers_;
  std::vector<Ended> ended_;  // to be called back
};

void Client::Impl::start(Request request, Done done) {
  auto prepared = prepare(request, environment_);
  if (!prepared) {
    ended_.emplace_back(std::move(done), std::unexpected(std::move(prepared).error()));
    return;
  }
  transfers_.push_back(
      std::make_unique<Transfer>(std::move(request), std::move(done), *std::move(prepared), clock_.boot()));
}

void Client::Impl::run(Nanos timeout, int wake_fd) {
  advance();
  if (call_back()) return;
  wait(timeout, wake_fd);
  advance();
  call_back();
}

void Client::Impl::advance() {
  look_up();
  int running = 0;
  curl_multi_perform(multi_.get(), &running);
  take_answers();
  drop_late();
}

// Ends those transfers of which `over` gives an answer.
template <class Over>
void Client::Impl::end_those(Over over) {
  std::erase_if(transfers_, [&](const std::unique_ptr<Transfer>& transfer) {
    std::optional<Answer> answer = over(*transfer);
    if (!answer) return false;
    leave(*transfer);
    ended_.emplace_back(transfer->take_done(), *std::move(answer));
    return true;
  });
}

void Client::Impl::look_up() {
  end_those([&](Transfer& transfer) -> std::optional<Answer> {
    if (transfer.easy() != nullptr) return std::nullopt;
    const auto found = names_.find(transfer.lookup());
    if (!found) return std::nullopt;
    if (!*found) return std::unexpected(transfer.not_found(found->error()));
    CURL* const easy = transfer.go(**found);
    if (easy == nullptr || curl_multi_add_handle(multi_.get(), easy) != CURLM_OK) {
      return std::unexpected(Failure{Step::kConnect, "there is no memory for a request"});
    }
    return std::nullopt;
  });
  names_.forget_failures();
}

void Client::Impl::take_answers() {
  std::vector<std::pair<Transfer*, CURLcode>> over;
  int left = 0;
  while (const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    Transfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    over.emplace_back(transfer, message->data.result);
  }
  if (over.empty()) return;
  end_those([&](Transfer& transfer) -> std::optional<Answer> {
    const auto found = std::ranges::find(over, &transfer, &std::pair<Transfer*, CURLcode>::first);
    if (found == over.end()) return std::nullopt;
    return transfer.answer(found->second);
  });
}

void Client::Impl::drop_late() {
  const Nanos now = clock_.boot();
  end_those([&](Transfer& transfer) -> std::optional<Answer> {
    if (now < transfer.deadline()) return std::nullopt;
    return std::unexpected(transfer.too_late());
  });
}

// They may start further ones.
bool Client::Impl::call_back() {
  std::vector<Ended> ended = std::exchange(ended_, {});
  for (Ended& one : ended) one.done(std::move(one.answer));
  return !ended.empty();
}

void Client::Impl::wait(Nanos timeout, int wake_fd) {
  const Nanos now = clock_.boot();
  Nanos most = std::min(timeout, names_.patience());
  for (const auto& transfer : transfers_) most = std::min(most, subtract(transfer->deadline(), now));
  std::vector<pollfd> polled;
  names_.add_to(polled);
  if (wake_fd >= 0) polled.push_back({.fd = wake_fd, .events = POLLIN, .revents = 0});
  std::vector<curl_waitfd> waited;
  for (const pollfd& one : polled) {
    const int events =
        ((one.events & POLLIN) != 0 ? CURL_WAIT_POLLIN : 0) | ((one.events & POLLOUT) != 0 ? CURL_WAIT_POLLOUT : 0);
    waited.push_back({.fd = one.fd, .events = static_cast<short>(events), .revents = 0});
  }
  const auto milliseconds =
      std::chrono::ceil<std::chrono::milliseconds>(std::clamp<Nanos>(most, Nanos(0), std::chrono::hours(1)));
  curl_multi_poll(multi_.get(), waited.data(), static_cast<unsigned>(waited.size()),
                  static_cast<int>(milliseconds.count()), nullptr);
  for (std::size_t i = 0; i < waited.size(); ++i) {
    const short seen = waited[i].revents;
    polled[i].revents = static_cast<short>(((seen & CURL_WAIT_POLLIN) != 0 ? POLLIN : 0) |
                                           ((seen & CURL_WAIT_POLLOUT) != 0 ? POLLOUT : 0));
  }
  names_.process(polled);
}

void Client::Impl::leave(const Transfer& transfer) {
  if (transfer.easy() != nullptr) curl_multi_remove_handle(multi_.get(), transfer.easy());
}

Client::Client(Environment environment, ClientOptions options)
    : impl_(std::make_unique<Impl>(std::move(environment), options)) {}
Client::~Client() = default;

void Client::start(Request request, Done done) { impl_->start(std::move(request), std::move(done)); }
void Client::run(Nanos timeout, int wake_fd) { impl_->run(timeout, wake_fd); }
std::size_t Client::under_way() const { return impl_->under_way(); }

}  // namespace mcptrace::client
