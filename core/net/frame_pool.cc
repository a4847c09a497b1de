#include "core/net/frame_pool.h"

#include <new>

namespace pillion::net::internal {

constinit thread_local FreeFrames free_frames[kFrameClasses] = {};

namespace {

// Frees what a thread kept when the thread ends.
struct Keeper {
  ~Keeper() {
    for (FreeFrames& free : free_frames) {
      while (free.first != nullptr) {
        FreeFrameNode* const next = free.first->next;
        ::operator delete(free.first);
        free.first = next;
      }
      // A frame freed later on this thread, by another thread_local's destructor, is not kept.
      free.count = kMaxFreeFrames;
    }
  }
  void Touch() {}
};

thread_local Keeper keeper;

}  // namespace

void* NewFrame(size_t size_class) {
  keeper.Touch();  // makes it, on a thread's first frame
  return ::operator new(size_class* kFrameGranule);
}

void DeleteFrame(void* frame) { ::operator delete(frame); }

}  // namespace pillion::net::internal
