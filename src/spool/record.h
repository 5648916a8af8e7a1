// The records of the spool, and how they lie on disk.
//
// File (little endian):
//   header, 32 bytes: magic "MCPSPOOL", u32 version = 1, u32 header size, i64 created (wall ns), u32 salt,
//     u32 crc32c of the 28 bytes before
//   records: u32 payload size, u32 crc32c (of salt, type, reserved, tag and payload), u8 type, u8[3] reserved = 0,
//     u32 tag, payload (at most 4 MiB less 16)
// The salt is random, and stands in the file's name too (its eight hexadecimal digits), so that a damaged header costs
// nothing. It goes into every checksum, so that bytes that merely look like a record (a payload that quotes one, a
// stale page of another spool file) are never taken for one when a reader looks for the next record after damage.
//
// A block is a record of type kBlock that holds many kSpan and kLog records, compressed together. Its payload:
//   u32 uncompressed size (at most 4 MiB), u32 record count, u32 mask of the types within (bit 1 << type),
//   u16 number of tags (0xffff: more than 32, not listed), u16 coding, the distinct tags (u32 each), the records in
//   that coding: 0 = one zstd frame, 1 = as likeness.h says
// Uncompressed it is records as above, whose crc field is zero: the block's own covers them. Blocks do not nest.
//
// A torn or corrupt record ends at the next one that checks; what was passed over is counted. A type from 10 to 31 is
// of a newer version: checked, counted, passed over.
#pragma once

#include <cstdint>
#include <string_view>

namespace mcptrace::spool {

enum class RecordType : std::uint8_t {
  kResource = 1,     // what made the following records: service name and the like
  kSessionOpen = 2,  // as soon as its trace is known, and again where more of it is
  kCallOpen = 3,
  kSpan = 4,
  kSessionClose = 5,
  kBlock = 6,        // the spool's own
  kLog = 7,          // what is logged of a span: of its ids
  kCounters = 8,     // what the process says of itself (counters.h)
  kDestination = 9,  // at a file's head: that its process's environment named this one (destinations.h), by its name
};

// `tag` is the reader's means to skip: a 32-bit hash of what the record belongs to (we use the trace id).
struct Record {
  RecordType type = RecordType::kSpan;
  std::uint32_t tag = 0;
  std::string_view payload;
};

}  // namespace mcptrace::spool
