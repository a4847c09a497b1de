#include "core/net/frame_pool.h"

#include <array>
#include <new>

namespace pillion::net {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// Reuse would hide a use after free from the sanitizer.
constexpr bool kPooled = false;
#else
constexpr bool kPooled = true;
#endif

constexpr size_t kGranule = 64;
constexpr size_t kClasses = 128;   // frames up to 8 KiB
constexpr size_t kMaxKept = 1024;  // free frames kept in each class

struct FreeFrameNode {
  FreeFrameNode* next;
};

struct Pool {
  std::array<FreeFrameNode*, kClasses> free{};
  std::array<size_t, kClasses> kept{};

  ~Pool() {
    for (FreeFrameNode*& head : free) {
      while (head != nullptr) {
        FreeFrameNode* next = head->next;
        ::operator delete(head);
        head = next;
      }
    }
    // A frame freed later on this thread, by another thread_local's destructor, must not be kept.
    kept.fill(kMaxKept);
  }
};

thread_local Pool pool;

size_t ClassOf(size_t size) { return (size + kGranule - 1) / kGranule; }

}  // namespace

void* AllocateFrame(size_t size) {
  const size_t index = ClassOf(size);
  if (!kPooled || index >= kClasses) return ::operator new(size);
  if (FreeFrameNode* node = pool.free[index]; node != nullptr) {
    pool.free[index] = node->next;
    --pool.kept[index];
    return node;
  }
  return ::operator new(index* kGranule);
}

void FreeFrame(void* frame, size_t size) {
  const size_t index = ClassOf(size);
  if (!kPooled || index >= kClasses || pool.kept[index] >= kMaxKept) {
    ::operator delete(frame);
    return;
  }
  auto* node = static_cast<FreeFrameNode*>(frame);
  node->next = pool.free[index];
  pool.free[index] = node;
  ++pool.kept[index];
}

}  // namespace pillion::net
