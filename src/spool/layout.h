// The spool's disk format (record.h) as bytes: headers in, headers out. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "spool/record.h"

namespace mcptrace::spool {

inline constexpr std::size_t kFileHeaderBytes = 32;
inline constexpr std::size_t kRecordHeaderBytes = 16;
inline constexpr std::size_t kBlockHeaderBytes = 16;
inline constexpr std::size_t kMaxRecordBytes = 4u << 20;  // with its header
inline constexpr std::size_t kMaxPayloadBytes = kMaxRecordBytes - kRecordHeaderBytes;
inline constexpr std::size_t kMaxBlockBytes = 4u << 20;  // uncompressed
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint8_t kLastKnownType = 9;
inline constexpr std::uint8_t kLastPossibleType = 31;  // types are bits of a mask
inline constexpr std::size_t kMaxListedTags = 32;

std::uint32_t load32(const char* from);
void store32(char* to, std::uint32_t value);

struct FileHeader {
  std::uint32_t version = kVersion;
  std::uint32_t size = kFileHeaderBytes;
  Nanos created{};
  std::uint32_t salt = 0;
};
std::string encode_file_header(const FileHeader& header);
// Nothing unless magic and checksum are right and the size is between 32 and 64 KiB. `bytes` holds at least 32.
std::optional<FileHeader> decode_file_header(std::string_view bytes);

struct RecordHeader {
  std::uint32_t payload_size = 0;
  std::uint32_t crc = 0;
  std::uint8_t type = 0;
  std::uint32_t tag = 0;
  [[nodiscard]] std::size_t record_size() const { return kRecordHeaderBytes + payload_size; }
};
// Nothing where it cannot be one of ours (size, type, reserved bytes). `at` has kRecordHeaderBytes.
std::optional<RecordHeader> decode_record_header(const char* at);
// kRecordHeaderBytes, with a crc of zero, to be set by seal_record.
void write_record_header(char* to, RecordType type, std::uint32_t tag, std::size_t payload_size);
void append_record(std::string& out, RecordType type, std::uint32_t tag, std::string_view payload);
// The same for a payload that is made in its place: `write(char* to) -> char* end` has `room` bytes there, and gives
// null where there is to be no record after all. The size of the payload, if there is one.
template <class Write>
std::optional<std::size_t> append_record(std::string& out, RecordType type, std::uint32_t tag, std::size_t room,
                                         Write&& write) {
  std::optional<std::size_t> size;
  const std::size_t begin = out.size();
  // In one step, so that where memory runs out there is no half a record. libstdc++ 12 passes the capacity for the
  // size.
  out.resize_and_overwrite(begin + kRecordHeaderBytes + room, [&](char* data, std::size_t) {
    char* const payload = data + begin + kRecordHeaderBytes;
    const char* const end = write(payload);
    if (end == nullptr) return begin;
    size = static_cast<std::size_t>(end - payload);
    write_record_header(data + begin, type, tag, *size);
    return begin + kRecordHeaderBytes + *size;
  });
  return size;
}
// The checksum that belongs to the whole record (header and payload).
std::uint32_t record_crc(std::string_view record, std::uint32_t salt);
void seal_record(char* record, std::size_t size, std::uint32_t salt);

// How the records of a block are coded.
enum class Coding : std::uint8_t { kZstd, kLikeness };

struct BlockHeader {
  std::uint32_t uncompressed_size = 0;
  std::uint32_t records = 0;
  std::uint32_t types = 0;
  bool tags_listed = false;
  std::string_view tags;  // u32 each
  Coding coding = Coding::kZstd;
  std::string_view coded;
};
std::optional<BlockHeader> decode_block_header(std::string_view payload);
// May it hold the tag? Where tags are not listed: yes.
bool may_hold_tag(const BlockHeader& header, std::uint32_t tag);

// Do these bytes consist of exactly `records` whole records (with crc fields unchecked), none a block?
bool well_formed(std::string_view records, std::size_t count);

}  // namespace mcptrace::spool
