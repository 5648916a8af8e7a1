// What a backend always refuses, kept to be looked at: lines of JSON, {"time":…,"why":…,"traces":<OTLP/JSON>}, in
// `aside.jsonl` of the destination's directory. Bounded: at 8 MiB the file becomes `aside.1.jsonl`, and the one that
// had this name goes. One thread.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "ship/batch.h"

namespace mcptrace::ship {

// `directory` exists. Error: it could not be written; the spans are gone.
Result<> set_aside(const std::string& directory, const Batch& batch, std::string_view why, Nanos wall);

}  // namespace mcptrace::ship
