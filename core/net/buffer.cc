#include "core/net/buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "core/check.h"

namespace pillion::net {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kMaxKept = 0;  // reuse would hide a use after free
#else
constexpr size_t kMaxKept = 128;  // 2 MiB a thread
#endif

struct FreeBlock {
  FreeBlock* next;
};

// Free blocks of this thread. Plain, so that reaching them costs no check whether they are there.
constinit thread_local FreeBlock* first_free = nullptr;
constinit thread_local size_t kept = 0;

// Frees them when the thread ends.
struct Keeper {
  ~Keeper() {
    while (first_free != nullptr) ::operator delete(std::exchange(first_free, first_free->next));
    kept = kMaxKept;  // nothing is kept any more
  }
  void Touch() {}
};

thread_local Keeper keeper;

char* TakeBlock(size_t capacity) {
  if (capacity == Buffer::kBlockSize && first_free != nullptr) {
    --kept;
    return reinterpret_cast<char*>(std::exchange(first_free, first_free->next));
  }
  keeper.Touch();  // makes it, on a thread's first block
  return static_cast<char*>(::operator new(capacity));
}

void GiveBlock(char* block, size_t capacity) {
  if (capacity == Buffer::kBlockSize && kept < kMaxKept) {
    ++kept;
    first_free = new (block) FreeBlock{first_free};
  } else {
    ::operator delete(block);
  }
}

}  // namespace

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    Release();
    block_ = std::exchange(other.block_, nullptr);
    capacity_ = std::exchange(other.capacity_, 0);
    begin_ = std::exchange(other.begin_, 0);
    end_ = std::exchange(other.end_, 0);
  }
  return *this;
}

void Buffer::Consume(size_t n) {
  PILLION_CHECK(n <= size());
  begin_ += n;
  if (begin_ == end_) begin_ = end_ = 0;
}

void Buffer::MakeRoom(size_t n) {
  const size_t needed = size() + n;
  if (needed <= capacity_) {
    std::memmove(block_, data(), size());
  } else {
    size_t capacity = std::max(capacity_, kBlockSize);
    while (capacity < needed) capacity *= 2;
    char* block = net::TakeBlock(capacity);
    if (block_ != nullptr) {
      std::memcpy(block, data(), size());
      net::GiveBlock(block_, capacity_);
    }
    block_ = block;
    capacity_ = capacity;
  }
  end_ -= begin_;
  begin_ = 0;
}

void Buffer::Adopt(char* block, size_t n) {
  PILLION_CHECK(empty());
  Release();
  block_ = block;
  capacity_ = kBlockSize;
  end_ = n;
}

char* Buffer::TakeBlock() { return net::TakeBlock(kBlockSize); }

void Buffer::GiveBlock(char* block) { net::GiveBlock(block, kBlockSize); }

void Buffer::Free() {
  net::GiveBlock(block_, capacity_);
  block_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

}  // namespace pillion::net
