// A run of bytes that grows at the end and is consumed from the front, in one piece of memory.
//
// The memory is a pooled block of the least of the sizes below that is enough. A released buffer
// holds none, so an idle connection costs no buffer memory. Belongs to one thread; the pool is per
// thread.

#ifndef PILLION_CORE_NET_BUFFER_H_
#define PILLION_CORE_NET_BUFFER_H_

#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

namespace pillion::net {

class Buffer {
 public:
  static constexpr size_t kSmallBlockSize = 2 * 1024;  // most heads
  static constexpr size_t kBlockSize = 16 * 1024;      // all but large bodies
  static constexpr size_t kBulkBlockSize = 68 * 1024;  // 64 KiB of a body, and a head before it

  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)),
        first_(std::exchange(other.first_, 0)),
        begin_(std::exchange(other.begin_, 0)),
        end_(std::exchange(other.end_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer() { Release(); }

  std::string_view view() const { return {block_ + begin_, end_ - begin_}; }
  const char* data() const { return block_ + begin_; }
  size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }

  // Drops the first `n` bytes. An emptied buffer keeps its block until Release().
  void Consume(size_t n);

  // Gives the first `n` bytes away. Neither they nor what follows them, which stays here, are
  // moved: views of both stay good. REQUIRES: n <= size()
  Buffer TakeFront(size_t n);

  // Makes room for `n` more bytes behind the content; may move the content.
  void Reserve(size_t n) {
    if (room() < n) MakeRoom(n);
  }
  char* tail() { return block_ + end_; }
  size_t room() const { return capacity_ - end_; }
  // Declares `n` bytes at tail() written. REQUIRES: n <= room()
  void Produce(size_t n) { end_ += n; }

  void Append(std::string_view bytes) {
    if (bytes.empty()) return;
    Reserve(bytes.size());
    std::memcpy(tail(), bytes.data(), bytes.size());
    Produce(bytes.size());
  }

  // Takes the `n` bytes that a block of TakeBlock() begins with. Few it copies, if need be into a
  // small block, so that what many connections hold stays in the processor's caches. Of many it
  // keeps the block, and returns true; otherwise that is still the caller's. REQUIRES: empty(), and
  // a capacity of one of the sizes above.
  [[nodiscard]] bool Adopt(char* block, size_t n);

  // Memory of `capacity` bytes, from this thread's pool if that is one of the sizes above, for who
  // fills it without a Buffer.
  static char* TakeBlock(size_t capacity);
  static void GiveBlock(char* block);

  // Empties the buffer and gives its memory back.
  void Release() {
    if (block_ != nullptr) Free();
  }

 private:
  void MakeRoom(size_t n);
  void Free();

  char* block_ = nullptr;
  size_t capacity_ = 0;  // where this buffer's part of the block ends
  size_t first_ = 0;     // and where it begins
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_BUFFER_H_
