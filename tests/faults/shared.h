// What the campaign tells the programs that it troubles, and what these tell it: small files that
// both have mapped. They outlive a killed program, so that its last words can be read.

#ifndef PILLION_TESTS_FAULTS_SHARED_H_
#define PILLION_TESTS_FAULTS_SHARED_H_

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace pillion::faults {

enum class FsyncMode : int32_t { kNormal, kFail, kSlow };

// The bytes [begin, end) of a file that were written after its last fsync, so that a power cut may
// lose or tear them. end is 0: none.
struct Unsynced {
  std::atomic<int64_t> begin;
  std::atomic<int64_t> end;
};

// Of one sidecar, whose preloaded fault_shim obeys it. All zero: nothing is wrong.
struct SystemFaults {
  std::atomic<FsyncMode> fsync;
  std::atomic<bool> fsync_of_wal_only;   // else of all the store's files
  std::atomic<int32_t> fsync_delay_ms;   // while it is slow
  std::atomic<int64_t> clock_offset_ns;  // of CLOCK_REALTIME
  std::atomic<uint64_t> fsyncs_failed;   // counted by the shim, as are the next two
  std::atomic<uint64_t> fsyncs_slowed;
  std::atomic<uint64_t> clocks_shifted;  // times of day that were told wrong
  // Of the store's two logs.
  Unsynced write_ahead_log;
  Unsynced journal;
};

enum class Misbehavior : int32_t { kNone, kAnswer500, kHang, kResetMidAnswer };

// Of one receiver.
struct ReceiverFaults {
  std::atomic<Misbehavior> misbehavior;
  std::atomic<uint64_t> misbehaved;  // requests that were treated so; counted by the receiver
};

// A T that all who map the same file share. T is all atomics, and zero bytes are its first value.
template <typename T>
class Shared {
 public:
  // Makes the file if there is none. Aborts if that is not possible.
  explicit Shared(const std::string& path) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void* memory = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof(T)) == 0) {
      memory = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (memory == MAP_FAILED) {
      std::perror(path.c_str());
      std::abort();
    }
    close(fd);
    value_ = static_cast<T*>(memory);
  }
  ~Shared() { munmap(value_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  T* operator->() const { return value_; }

 private:
  T* value_;
};

}  // namespace pillion::faults

#endif  // PILLION_TESTS_FAULTS_SHARED_H_
