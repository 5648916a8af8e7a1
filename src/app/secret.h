// The installation's secret: the key of every fingerprint and derived id (docs/spans.md).
#pragma once

#include <string>

#include "base/keyed_hash.h"
#include "base/random.h"
#include "base/result.h"

namespace mcptrace::app {

// Reads <state directory>/secret; makes it (and the directory, 0700) if there is none. Any number of processes may do
// so at once: one wins, all read the same. Errors: kIo where it can be neither read nor made, kCorrupt where it is not
// 64 hexadecimal digits, kInvalidArgument where others may read it, it is no regular file, or no file can be named so.
Result<Secret> load_or_make_secret(const std::string& state_directory, Random& random);
// A file that somebody else made, in the same form: --secret-file. Also kNotFound.
Result<Secret> load_secret(const std::string& path);

}  // namespace mcptrace::app
