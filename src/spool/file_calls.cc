#include "spool/file_calls.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace mcptrace::spool {

int SystemFileCalls::create(int directory, const char* name) {
  return ::openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int SystemFileCalls::lock(int fd) {
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &whole);
}

ssize_t SystemFileCalls::write(int fd, const void* bytes, std::size_t size) { return ::write(fd, bytes, size); }

int SystemFileCalls::truncate(int fd, off_t size) { return ::ftruncate(fd, size); }

int SystemFileCalls::allocate(int fd, off_t from, off_t size) {
  int done = 0;
  do {
    done = ::fallocate(fd, FALLOC_FL_KEEP_SIZE, from, size);
  } while (done != 0 && errno == EINTR);
  return done;
}

int SystemFileCalls::rename(int directory, const char* from, const char* to) {
  return ::renameat(directory, from, directory, to);
}

}  // namespace mcptrace::spool
