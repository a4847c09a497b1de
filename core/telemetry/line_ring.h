// A ring of bytes between one thread that puts in whole lines and one that takes them out. Neither
// ever waits for the other: a line that does not fit is refused.
#ifndef PILLION_CORE_TELEMETRY_LINE_RING_H_
#define PILLION_CORE_TELEMETRY_LINE_RING_H_

#include <algorithm>
#include <atomic>
#include <bit>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "core/telemetry/metrics.h"

namespace pillion::telemetry {

class LineRing {
 public:
  // REQUIRES: `capacity` (bytes) is a power of two.
  explicit LineRing(size_t capacity)
      : capacity_(capacity), bytes_(std::make_unique_for_overwrite<char[]>(capacity)) {
    assert(std::has_single_bit(capacity));
  }

  // False if there is no room: then the line is counted and gone. REQUIRES: `line` ends in '\n' and
  // has no other. Threads: the producer.
  bool Put(std::string_view line) {
    const uint64_t end = end_.load(std::memory_order_relaxed);
    if (Room(end) < line.size()) {
      known_begin_ = begin_.load(std::memory_order_acquire);
      if (Room(end) < line.size()) {
        refused_.Add();
        return false;
      }
    }
    const size_t at = end & (capacity_ - 1);
    const size_t before_wrap = std::min(line.size(), capacity_ - at);
    std::memcpy(bytes_.get() + at, line.data(), before_wrap);
    std::memcpy(bytes_.get(), line.data() + before_wrap, line.size() - before_wrap);
    // In one order, for all threads, with the consumer's announcement that it goes to sleep
    // (LineWriter::Sleep).
    end_.store(end + line.size(), std::memory_order_seq_cst);
    return true;
  }

  // Whether more than half of the ring is taken. Threads: the producer.
  bool IsFilling() {
    const uint64_t end = end_.load(std::memory_order_relaxed);
    if (Room(end) >= capacity_ / 2) return false;
    known_begin_ = begin_.load(std::memory_order_acquire);
    return Room(end) < capacity_ / 2;
  }

  // Bytes that wait to be taken. Threads: the consumer.
  size_t Waiting() const {
    return end_.load(std::memory_order_seq_cst) - begin_.load(std::memory_order_relaxed);
  }

  // Moves as many whole lines as fit to `out` and returns their bytes. Threads: the consumer.
  size_t Take(char* out, size_t room) {
    const uint64_t begin = begin_.load(std::memory_order_relaxed);
    const size_t size = std::min(Waiting(), room);
    const size_t at = begin & (capacity_ - 1);
    const size_t before_wrap = std::min(size, capacity_ - at);
    std::memcpy(out, bytes_.get() + at, before_wrap);
    std::memcpy(out + before_wrap, bytes_.get(), size - before_wrap);
    const size_t whole_lines = std::string_view(out, size).rfind('\n') + 1;  // 0 if there is none
    begin_.store(begin + whole_lines, std::memory_order_release);
    return whole_lines;
  }

  size_t capacity() const { return capacity_; }

  // Lines refused so far. Threads: any.
  uint64_t refused() const { return refused_.Value(); }

 private:
  size_t Room(uint64_t end) const { return capacity_ - (end - known_begin_); }

  const size_t capacity_;
  const std::unique_ptr<char[]> bytes_;

  // Positions count bytes from the beginning of time; their difference is what waits.
  alignas(kCacheLine) std::atomic<uint64_t> end_{0};  // the producer's
  uint64_t known_begin_ = 0;
  Counter refused_;
  alignas(kCacheLine) std::atomic<uint64_t> begin_{0};  // the consumer's
};

}  // namespace pillion::telemetry

#endif  // PILLION_CORE_TELEMETRY_LINE_RING_H_
