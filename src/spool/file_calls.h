// The system calls by which a writer makes and fills its file, as one seam: the system's own, and in tests one that
// fails or dies at the n-th call. As the system's: -1 and errno.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <cstddef>

namespace mcptrace::spool {

class FileCalls {
 public:
  virtual ~FileCalls() = default;
  virtual int create(int directory, const char* name) = 0;  // O_EXCL, 0600, for appending
  virtual int lock(int fd) = 0;                             // the whole file, for this open file description
  virtual ssize_t write(int fd, const void* bytes, std::size_t size) = 0;
  virtual int truncate(int fd, off_t size) = 0;
  virtual int allocate(int fd, off_t from, off_t size) = 0;  // room on the disk; the file stays as long as it is
  virtual int rename(int directory, const char* from, const char* to) = 0;
};

class SystemFileCalls : public FileCalls {
 public:
  int create(int directory, const char* name) override;
  int lock(int fd) override;
  ssize_t write(int fd, const void* bytes, std::size_t size) override;
  int truncate(int fd, off_t size) override;
  int allocate(int fd, off_t from, off_t size) override;
  int rename(int directory, const char* from, const char* to) override;
};

}  // namespace mcptrace::spool
