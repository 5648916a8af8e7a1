// Records told by what differs from an earlier one of the same size: spans of one session are alike but for ids, times
// and a few numbers. A tenth of the time of a general compressor, and twice the bytes. Used by block.cc only; pure.
//
// Coded, a record is
//   u8 back     0: nothing like it is near. The record follows as it is.
//               n: it is like the n-th record before it, of the same size. What follows up to that size:
//   { u8 same, u8 other, byte[other] } …     so many bytes are as there; so many others take the place of the next ones
#pragma once

#include <cstddef>
#include <string_view>

namespace mcptrace::spool {

// Codes `run`, whole records, into `to`, which has room for `room` bytes. Their size, or 0: it takes more.
std::size_t encode_likeness(std::string_view run, char* to, std::size_t room);
// Makes from `coded` the `size` bytes of records at `to`. False if it does not say just so many. Foreign bytes.
bool decode_likeness(std::string_view coded, char* to, std::size_t size);

}  // namespace mcptrace::spool
