// Preloaded into a process (LD_PRELOAD), counts its heap allocations in the first eight bytes of
// the file that ALLOCATION_COUNT names, which must be there.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" {
// glibc's own, behind the names that this library takes.
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

namespace {

std::atomic<uint64_t> unseen{0};  // before the file is mapped
std::atomic<uint64_t>* count = &unseen;

__attribute__((constructor)) void MapFile() {
  const char* const path = std::getenv("ALLOCATION_COUNT");
  const int fd = path == nullptr ? -1 : open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* memory = mmap(nullptr, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory != MAP_FAILED) count = static_cast<std::atomic<uint64_t>*>(memory);
  close(fd);
}

}  // namespace

extern "C" {

void* malloc(size_t size) {
  count->fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}
void* calloc(size_t number, size_t size) {
  count->fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(number, size);
}
void* realloc(void* memory, size_t size) {
  count->fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(memory, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  count->fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, size_t alignment, size_t size) {
  *memory = aligned_alloc(alignment, size);
  return *memory == nullptr ? 12 /* ENOMEM */ : 0;
}

}  // extern "C"
