// A mutex that the compiler checks the use of: what is GUARDED_BY it is touched only while it is held.
//
//   Mutex mutex_;
//   int count_ GUARDED_BY(mutex_) = 0;
//   …
//   const MutexLock lock(mutex_);
//   ++count_;
#pragma once

#include <mutex>

#if defined(__clang__)
#define MCPTRACE_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define MCPTRACE_THREAD_ATTRIBUTE(x)
#endif
#define GUARDED_BY(x) MCPTRACE_THREAD_ATTRIBUTE(guarded_by(x))
#define REQUIRES(x) MCPTRACE_THREAD_ATTRIBUTE(requires_capability(x))

namespace mcptrace {

class MCPTRACE_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
 public:
  void lock() MCPTRACE_THREAD_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
  void unlock() MCPTRACE_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class MCPTRACE_THREAD_ATTRIBUTE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) MCPTRACE_THREAD_ATTRIBUTE(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() MCPTRACE_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace mcptrace
