// Preloaded into a sidecar (LD_PRELOAD), lets its fsyncs fail or take long, shifts its time of day,
// and notes which bytes of the store's logs a power cut could take: as the file says that
// FAULT_SHIM names, a SystemFaults.

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>

#include "tests/faults/shared.h"

namespace {

using pillion::faults::FsyncMode;
using pillion::faults::Shared;
using pillion::faults::SystemFaults;
using pillion::faults::Unsynced;

Shared<SystemFaults>* faults = nullptr;

__attribute__((constructor)) void MapFile() {
  if (const char* path = std::getenv("FAULT_SHIM")) faults = new Shared<SystemFaults>(path);
}

// The function that this library hides.
template <typename Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

bool EndsWith(const char* text, ssize_t size, const char* end) {
  const auto end_size = static_cast<ssize_t>(std::strlen(end));
  return size >= end_size && std::memcmp(text + size - end_size, end, end_size) == 0;
}

enum class FileKind { kOther, kDatabase, kWriteAheadLog, kJournal };

FileKind KindOf(int fd) {
  char link[32];
  char path[4096];
  std::snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, path, sizeof(path));
  if (EndsWith(path, size, ".db-wal")) return FileKind::kWriteAheadLog;
  if (EndsWith(path, size, ".journal")) return FileKind::kJournal;
  return EndsWith(path, size, ".db") ? FileKind::kDatabase : FileKind::kOther;
}

// Null: nobody asks.
Unsynced* UnsyncedOf(FileKind kind) {
  if (kind == FileKind::kWriteAheadLog) return &(*faults)->write_ahead_log;
  return kind == FileKind::kJournal ? &(*faults)->journal : nullptr;
}

// Before they are written, so that no byte is written and not known to be in danger.
void NoteWrite(int fd, int64_t offset, size_t size) {
  Unsynced* unsynced = faults == nullptr ? nullptr : UnsyncedOf(KindOf(fd));
  if (unsynced == nullptr) return;
  const int64_t end = offset + static_cast<int64_t>(size);
  const bool first = unsynced->end == 0;
  unsynced->begin = first ? offset : std::min<int64_t>(unsynced->begin, offset);
  unsynced->end = std::max<int64_t>(unsynced->end, end);
}

template <typename Sync>
int SyncUnlessTold(int fd, Sync sync) {
  const FileKind kind = faults == nullptr ? FileKind::kOther : KindOf(fd);
  if (kind == FileKind::kOther) return sync(fd);
  SystemFaults& shared = *faults->operator->();
  const bool spared = shared.fsync_of_wal_only && kind != FileKind::kWriteAheadLog;
  switch (spared ? FsyncMode::kNormal : shared.fsync.load()) {
    case FsyncMode::kFail:
      ++shared.fsyncs_failed;
      errno = EIO;
      return -1;
    case FsyncMode::kSlow:
      ++shared.fsyncs_slowed;
      usleep(static_cast<useconds_t>(shared.fsync_delay_ms) * 1000);
      break;
    case FsyncMode::kNormal:
      break;
  }
  const int result = sync(fd);
  Unsynced* unsynced = UnsyncedOf(kind);
  // Afterwards, and before anybody hears of it.
  if (result == 0 && unsynced != nullptr) unsynced->end = 0;
  return result;
}

int64_t ClockOffset() { return faults == nullptr ? 0 : (*faults)->clock_offset_ns.load(); }

constexpr int64_t kSecond = 1'000'000'000;
// A wait until a time of day ends early when the clock is set, so it is cut into pieces, after each
// of which the clock is looked at again.
constexpr int64_t kSlice = kSecond / 20;

int64_t Nanoseconds(const timespec& time) { return time.tv_sec * kSecond + time.tv_nsec; }
timespec ToTimespec(int64_t nanoseconds) { return {nanoseconds / kSecond, nanoseconds % kSecond}; }

int RealClock(clockid_t clock, timespec* time) {
  static auto* const real = Real<decltype(clock_gettime)>("clock_gettime");
  return real(clock, time);
}

// The true time until which to wait for the end of a piece, or for `deadline` by the shifted clock;
// `is_last` says which.
timespec EndOfSlice(const timespec& deadline, bool* is_last) {
  timespec now;
  RealClock(CLOCK_REALTIME, &now);
  const int64_t real_deadline = Nanoseconds(deadline) - ClockOffset();
  const int64_t slice = Nanoseconds(now) + kSlice;
  *is_last = real_deadline <= slice;
  return ToTimespec(std::max<int64_t>(0, std::min(real_deadline, slice)));
}

// Monotonic time, which a condition variable may be set to, is never that large.
bool IsTimeOfDay(const timespec& time) { return time.tv_sec > 1'000'000'000; }

}  // namespace

extern "C" {

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  static auto* const real = Real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  NoteWrite(fd, offset, size);
  return real(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  static auto* const real = Real<ssize_t(int, const void*, size_t, off64_t)>("pwrite64");
  NoteWrite(fd, offset, size);
  return real(fd, data, size, offset);
}

int fsync(int fd) { return SyncUnlessTold(fd, Real<int(int)>("fsync")); }
int fdatasync(int fd) { return SyncUnlessTold(fd, Real<int(int)>("fdatasync")); }

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const int result = RealClock(clock, time);
  const int64_t offset = ClockOffset();
  if (result == 0 && offset != 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    *time = ToTimespec(Nanoseconds(*time) + offset);
    ++(*faults)->clocks_shifted;
  }
  return result;
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const timespec* deadline) {
  // dlsym might find the one of glibc's first condition variables.
  static auto* const real = reinterpret_cast<decltype(&pthread_cond_timedwait)>(
      dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2"));
  if (!IsTimeOfDay(*deadline)) return real(condition, mutex, deadline);
  bool is_last = false;
  const timespec end = EndOfSlice(*deadline, &is_last);
  const int result = real(condition, mutex, &end);
  return result == ETIMEDOUT && !is_last ? 0 : result;  // a spurious wake-up
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const timespec* deadline) {
  static auto* const real = Real<decltype(pthread_cond_clockwait)>("pthread_cond_clockwait");
  if (clock != CLOCK_REALTIME) return real(condition, mutex, clock, deadline);
  return pthread_cond_timedwait(condition, mutex, deadline);
}

// Abseil waits by the system call itself.
long syscall(long number, ...) noexcept {
  static auto* const real = Real<long(long, long, long, long, long, long, long)>("syscall");
  va_list list;
  va_start(list, number);
  long arguments[6];
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  const auto* deadline = reinterpret_cast<const timespec*>(arguments[3]);
  constexpr long kWait = FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME;
  const bool until = number == SYS_futex && (arguments[1] & ~FUTEX_PRIVATE_FLAG) == kWait &&
                     deadline != nullptr && IsTimeOfDay(*deadline);
  bool is_last = true;
  timespec end;
  if (until) {
    end = EndOfSlice(*deadline, &is_last);
    arguments[3] = reinterpret_cast<long>(&end);
  }
  const long result = real(number, arguments[0], arguments[1], arguments[2], arguments[3],
                           arguments[4], arguments[5]);
  if (result == -1 && errno == ETIMEDOUT && !is_last) errno = EINTR;
  return result;
}

}  // extern "C"
