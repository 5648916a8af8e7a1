// What this program says on stderr: lines that start with "mcptrace: ", at most one a reason and process.
//
// stderr is shared with the traced server and may be a slow terminal or a full pipe, so nobody in the data path waits
// for it: a line is one write(2) of at most 512 bytes, and a line that cannot be written at once is dropped. Never log
// what came over the wire. Safe from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace mcptrace {

// One enumerator for each thing we ever say about ourselves while traffic runs; the set is closed so that it is
// bounded.
enum class LogReason : std::uint8_t {
  kNotJson,            // lines on the server's stdout that are no JSON
  kAtStart,            // threads, memory or a place for state: something was not to be had, so less is done
  kSecret,             // the installation's secret cannot be used
  kSpoolWrite,         // disk full, I/O error
  kObserverStuck,      // the observer did not finish in time
  kDropped,            // telemetry was dropped
  kMemory,             // there was none for some of the telemetry
  kObserverGone,       // ... or for all that follows
  kNoMemory,           // there is none for traffic
  kDeclaredNames,      // what servers declared cannot be remembered
  kAcceptance,         // what a server refuses cannot be remembered
  kStrictServer,       // a server refuses requests that carry our context
  kConfiguration,      // variables that were ignored
  kResource,           // OTEL_RESOURCE_ATTRIBUTES, the same
  kConfigurationFile,  // the configuration file does not count as it is
  kChild,              // the server could not be started
  kAuthorization,      // sign-in metadata that clients will refuse, behind a proxy
  kEndpoint,           // an HTTP+SSE session whose endpoint no path of the proxy leads to
  kRedirect,           // a redirection to where no path of the proxy leads
  kShip,               // what is traced cannot be shipped
  kNotFlushed,         // ... or was not, in the time that was given for it
  kCount
};

class Log {
 public:
  explicit Log(int fd) : fd_(fd) {}
  // Writes "mcptrace: <text>\n" unless this reason was said before.
  void once(LogReason reason, std::string_view text);

 private:
  int fd_;
  std::atomic<std::uint32_t> said_{0};
};

}  // namespace mcptrace
