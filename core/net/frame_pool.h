// Memory for coroutine frames.
//
// A call's frames are made and dropped thousands of times a second and always have the same few
// sizes, so freed frames are kept in per-thread free lists: a warm call allocates nothing. Frames
// must be freed on the thread that made them, which holds for tasks: they never leave their loop.

#ifndef PILLION_CORE_NET_FRAME_POOL_H_
#define PILLION_CORE_NET_FRAME_POOL_H_

#include <cstddef>

namespace pillion::net {

// Never returns null; aborts when memory is exhausted.
void* AllocateFrame(size_t size);

// `size` is what AllocateFrame was asked for.
void FreeFrame(void* frame, size_t size);

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_FRAME_POOL_H_
