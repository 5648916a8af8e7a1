// What a receiver's answer means for what was sent. Pure. Source: opentelemetry-proto, docs/specification.md (OTLP/HTTP
// and OTLP/gRPC responses); grpc, http-grpc-status-mapping.md; RFC 9110 10.2.3 (Retry-After).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "client/client.h"
#include "config/destination.h"

namespace mcptrace::ship {

enum class Verdict : std::uint8_t {
  kDelivered,  // taken, all or in part; never to be sent again
  kRetry,      // later, as it is
  kTooLarge,   // in smaller pieces
  kRefused,    // these spans, or one of them; OTLP forbids to send them again
  kMisplaced,  // whatever is sent so: the address or the credential is wrong
};

struct Judgement {
  Verdict verdict = Verdict::kRetry;
  std::int64_t rejected = 0;  // of a kDelivered: so many spans were not taken
  std::optional<Nanos> retry_after{};
  std::string sentence{};  // for people; empty: nothing to say
};

// `now`: wall.
Judgement judge(config::Protocol protocol, const client::Answer& answer, Nanos now);

}  // namespace mcptrace::ship
