// One request under way: first its host's name, then libcurl's work. Says of a failure which step it was.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "client/client.h"
#include "client/failure.h"
#include "client/handles.h"
#include "client/names.h"
#include "client/response_reader.h"
#include "client/target.h"

namespace mcptrace::client {

// What a request comes to before anything is sent.
struct Prepared {
  Target target;
  std::optional<Via> via;
  std::string ca, certificate, certificate_key;  // PEM, as the files have it now
  std::string system_ca, system_ca_directory;    // SSL_CERT_FILE, SSL_CERT_DIR; empty: libcurl knows
};
std::expected<Prepared, Failure> prepare(const Request& request, const Environment& environment);

class Transfer {
 public:
  // `now`: of Clock::boot().
  Transfer(Request request, Client::Done done, Prepared prepared, Nanos now);
  Transfer(const Transfer&) = delete;  // libcurl holds pointers into it
  Transfer& operator=(const Transfer&) = delete;

  [[nodiscard]] const std::string& lookup() const;  // the name that is to be looked up
  [[nodiscard]] Nanos deadline() const { return deadline_; }
  [[nodiscard]] Client::Done take_done() { return std::move(done_); }

  // To be added to the multi handle.
  CURL* go(const Addresses& addresses);
  [[nodiscard]] CURL* easy() const { return easy_.get(); }  // null before go()

  Answer answer(CURLcode code);
  [[nodiscard]] Failure not_found(const Error& why) const;
  [[nodiscard]] Failure too_late() const;

 private:
  void set_request();
  void set_version();
  void set_tls();
  void set_proxy();
  void set_addresses(const Addresses& addresses);
  [[nodiscard]] std::string looked_up() const;
  [[nodiscard]] Phase phase() const;
  [[nodiscard]] std::string peer() const;  // whom we connect to, for people
  [[nodiscard]] std::optional<Failure> proxy_refusal() const;
  [[nodiscard]] Failure failure(CURLcode code) const;

  Request request_;
  Client::Done done_;
  Prepared prepared_;
  Nanos deadline_;
  ResponseReader reader_;
  // Before the handle, which borrows them.
  TextList headers_, proxy_headers_, resolved_;
  std::array<char, CURL_ERROR_SIZE> error_{};
  bool tls_begun_ = false;
  EasyHandle easy_;
};

}  // namespace mcptrace::client
