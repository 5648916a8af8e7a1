// The HTTP request that carries a batch: body, compression, framing, header fields. The secrets that it names are
// looked up here.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/client.h"
#include "ship/batch.h"
#include "ship/compress.h"
#include "ship/settings.h"

namespace mcptrace::ship {

// What a reference ("env:NAME", "file:PATH") stands for.
using Resolve = std::function<Result<std::string>(const std::string& reference)>;

// Its texts that may appear nowhere else.
using Secrets = std::vector<std::string>;

// Error: kInvalidArgument: a secret is not to be had; else the batch cannot be written so. `secrets` is told what was
// looked up.
Result<client::Request> make_request(const Settings& settings, const Batch& batch, const Resolve& resolve,
                                     Compressor& compressor, Secrets& secrets);

// `text` with each secret in it masked.
std::string masked(std::string text, const Secrets& secrets);

std::string_view protocol_text(config::Protocol protocol);
std::string_view compression_text(config::Compression compression);

}  // namespace mcptrace::ship
