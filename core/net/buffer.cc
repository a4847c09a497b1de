#include "core/net/buffer.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "core/check.h"

namespace pillion::net {
namespace {

// Stands before a block's bytes.
struct alignas(16) BlockHeader {
  uint32_t users;  // buffers that hold a part of it
  uint32_t size_class;
};

BlockHeader& HeaderOf(char* block) { return reinterpret_cast<BlockHeader*>(block)[-1]; }

struct FreeBlock {
  FreeBlock* next;
};

struct FreeBlocks {
  FreeBlock* first;
  size_t count;
};

struct SizeClass {
  size_t capacity;
  size_t kept;  // at most so many free ones a thread
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kKeepBlocks = false;  // reuse would hide a use after free
#else
constexpr bool kKeepBlocks = true;
#endif

constexpr std::array kClasses = {SizeClass{Buffer::kSmallBlockSize, 1024},
                                 SizeClass{Buffer::kBlockSize, 128},
                                 SizeClass{Buffer::kBulkBlockSize, 16}};

// Blocks that begin at multiples of their size would all want the same few sets of the processor's
// caches, as mostly their beginning is used.
constexpr size_t kStagger = 5 * 64;

// Plain, so that reaching it costs no check whether it is there.
constinit thread_local FreeBlocks free_blocks[kClasses.size()] = {};

// Frees what a thread kept when the thread ends.
struct Keeper {
  ~Keeper() {
    for (size_t i = 0; i < kClasses.size(); ++i) {
      FreeBlocks& free = free_blocks[i];
      while (free.first != nullptr) {
        FreeBlock* const block = std::exchange(free.first, free.first->next);
        ::operator delete(&HeaderOf(reinterpret_cast<char*>(block)));
      }
      free.count = kClasses[i].kept;  // nothing is kept any more
    }
  }
  void Touch() {}
};

thread_local Keeper keeper;

// kClasses.size() for other sizes, which are not kept.
uint32_t ClassOf(size_t capacity) {
  uint32_t i = 0;
  while (i < kClasses.size() && kClasses[i].capacity != capacity) ++i;
  return i;
}

// For so many bytes: of a class, or twice as much until it is enough.
size_t CapacityFor(size_t bytes) {
  if (bytes <= Buffer::kSmallBlockSize) return Buffer::kSmallBlockSize;
  if (bytes <= Buffer::kBlockSize) return Buffer::kBlockSize;
  size_t capacity = Buffer::kBulkBlockSize;
  while (capacity < bytes) capacity *= 2;
  return capacity;
}

inline char* Take(size_t capacity) {
  const uint32_t size_class = ClassOf(capacity);
  char* block;
  if (size_class < kClasses.size() && free_blocks[size_class].first != nullptr) {
    FreeBlocks& free = free_blocks[size_class];
    --free.count;
    block = reinterpret_cast<char*>(std::exchange(free.first, free.first->next));
  } else {
    keeper.Touch();  // makes it, on a thread's first block
    auto* const header =
        static_cast<BlockHeader*>(::operator new(sizeof(BlockHeader) + capacity + kStagger));
    header->size_class = size_class;
    block = reinterpret_cast<char*>(header + 1);
  }
  HeaderOf(block).users = 1;
  return block;
}

}  // namespace

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    Release();
    block_ = std::exchange(other.block_, nullptr);
    capacity_ = std::exchange(other.capacity_, 0);
    first_ = std::exchange(other.first_, 0);
    begin_ = std::exchange(other.begin_, 0);
    end_ = std::exchange(other.end_, 0);
  }
  return *this;
}

void Buffer::Consume(size_t n) {
  PILLION_CHECK(n <= size());
  begin_ += n;
  if (begin_ == end_) begin_ = end_ = first_;
}

Buffer Buffer::TakeFront(size_t n) {
  PILLION_CHECK(n <= size());
  if (n == size()) return std::move(*this);
  ++HeaderOf(block_).users;
  Buffer front;
  front.block_ = block_;
  front.first_ = first_;
  front.begin_ = begin_;
  first_ = begin_ = front.end_ = front.capacity_ = begin_ + n;
  return front;
}

void Buffer::MakeRoom(size_t n) {
  const size_t needed = size() + n;
  if (needed <= capacity_ - first_) {
    std::memmove(block_ + first_, data(), size());
  } else {
    const size_t capacity = CapacityFor(needed);
    char* const block = Take(capacity);
    if (block_ != nullptr) {
      std::memcpy(block, data(), size());
      GiveBlock(block_);
    }
    block_ = block;
    capacity_ = capacity;
    first_ = 0;
  }
  end_ = first_ + size();
  begin_ = first_;
}

bool Buffer::Adopt(char* block, size_t n) {
  PILLION_CHECK(empty() && HeaderOf(block).size_class < kClasses.size());
  if (n <= kSmallBlockSize) {
    Append({block, n});
    return false;
  }
  Release();
  block_ = block;
  capacity_ = kClasses[HeaderOf(block).size_class].capacity;
  end_ = n;
  return true;
}

char* Buffer::TakeBlock(size_t capacity) { return Take(capacity); }

void Buffer::GiveBlock(char* block) {
  BlockHeader& header = HeaderOf(block);
  if (--header.users > 0) return;
  const uint32_t size_class = header.size_class;
  if (kKeepBlocks && size_class < kClasses.size() &&
      free_blocks[size_class].count < kClasses[size_class].kept) {
    FreeBlocks& free = free_blocks[size_class];
    free.first = new (block) FreeBlock{free.first};
    ++free.count;
  } else {
    ::operator delete(&header);
  }
}

void Buffer::Free() {
  GiveBlock(block_);
  block_ = nullptr;
  capacity_ = first_ = begin_ = end_ = 0;
}

}  // namespace pillion::net
