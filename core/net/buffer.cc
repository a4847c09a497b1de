#include "core/net/buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "core/check.h"

namespace pillion::net {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kMaxKept = 0;  // reuse would hide a use after free
#else
constexpr size_t kMaxKept = 128;  // 2 MiB a thread
#endif

struct BlockPool {
  std::vector<char*> free;
  bool closed = false;
  BlockPool() { free.reserve(kMaxKept); }
  ~BlockPool() {
    for (char* block : free) ::operator delete(block);
    free.clear();
    closed = true;
  }
};

thread_local BlockPool pool;

char* TakeBlock(size_t capacity) {
  if (capacity == Buffer::kBlockSize && !pool.free.empty()) {
    char* block = pool.free.back();
    pool.free.pop_back();
    return block;
  }
  return static_cast<char*>(::operator new(capacity));
}

void GiveBlock(char* block, size_t capacity) {
  if (capacity == Buffer::kBlockSize && pool.free.size() < kMaxKept && !pool.closed) {
    pool.free.push_back(block);
  } else {
    ::operator delete(block);
  }
}

}  // namespace

Buffer::Buffer(Buffer&& other) noexcept
    : block_(std::exchange(other.block_, nullptr)),
      capacity_(std::exchange(other.capacity_, 0)),
      begin_(std::exchange(other.begin_, 0)),
      end_(std::exchange(other.end_, 0)) {}

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

void Buffer::Reserve(size_t n) {
  if (room() >= n) return;
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

void Buffer::Append(std::string_view bytes) {
  if (bytes.empty()) return;
  Reserve(bytes.size());
  std::memcpy(tail(), bytes.data(), bytes.size());
  Produce(bytes.size());
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

void Buffer::Release() {
  if (block_ != nullptr) net::GiveBlock(block_, capacity_);
  block_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

}  // namespace pillion::net
