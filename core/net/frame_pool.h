// Memory for coroutine frames.
//
// A call's frames are made and dropped thousands of times a second and always have the same few
// sizes, so freed frames are kept in per-thread free lists: a warm call allocates nothing. Frames
// must be freed on the thread that made them, which holds for tasks: they never leave their loop.

#ifndef PILLION_CORE_NET_FRAME_POOL_H_
#define PILLION_CORE_NET_FRAME_POOL_H_

#include <cstddef>

namespace pillion::net {
namespace internal {

struct FreeFrameNode {
  FreeFrameNode* next;
};

// The frames of one size class that are free.
struct FreeFrames {
  FreeFrameNode* first;
  size_t count;
};

constexpr size_t kFrameGranule = 64;
constexpr size_t kFrameClasses = 128;    // frames up to 8 KiB
constexpr size_t kMaxFreeFrames = 1024;  // kept in each class

// Without constructor and destructor, so that reaching it costs no check whether it is there.
extern constinit thread_local FreeFrames free_frames[kFrameClasses];

void* NewFrame(size_t size_class);
void DeleteFrame(void* frame);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// Reuse would hide a use after free from the sanitizer.
constexpr bool kKeepFrames = false;
#else
constexpr bool kKeepFrames = true;
#endif

constexpr size_t FrameClass(size_t size) { return (size + kFrameGranule - 1) / kFrameGranule; }

}  // namespace internal

// Never returns null; aborts when memory is exhausted.
inline void* AllocateFrame(size_t size) {
  const size_t size_class = internal::FrameClass(size);
  if (internal::kKeepFrames && size_class < internal::kFrameClasses) {
    internal::FreeFrames& free = internal::free_frames[size_class];
    if (free.first != nullptr) {
      internal::FreeFrameNode* const frame = free.first;
      free.first = frame->next;
      --free.count;
      return frame;
    }
  }
  return internal::NewFrame(size_class);
}

// `size` is what AllocateFrame was asked for.
inline void FreeFrame(void* memory, size_t size) {
  const size_t size_class = internal::FrameClass(size);
  if (internal::kKeepFrames && size_class < internal::kFrameClasses) {
    internal::FreeFrames& free = internal::free_frames[size_class];
    if (free.count < internal::kMaxFreeFrames) {
      auto* const frame = static_cast<internal::FreeFrameNode*>(memory);
      frame->next = free.first;
      free.first = frame;
      ++free.count;
      return;
    }
  }
  internal::DeleteFrame(memory);
}

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_FRAME_POOL_H_
