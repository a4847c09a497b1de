// The thread that moves lines from the workers' rings to a file: the lower half of the access log.
//
// It sleeps in one of two ways. *Napping* between two looks while lines keep coming: nobody needs
// to wake it, except a producer whose ring is more than half full. *Asleep* after a look that found
// nothing: the next line wakes it. So a busy worker makes hardly any system call for logging, and
// an idle process none.
#ifndef PILLION_CORE_TELEMETRY_LINE_WRITER_H_
#define PILLION_CORE_TELEMETRY_LINE_WRITER_H_

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "core/telemetry/line_ring.h"
#include "core/telemetry/log.h"
#include "core/telemetry/metrics.h"

namespace pillion::telemetry {

class LineWriter {
 public:
  // No line may be longer, in bytes with its '\n'.
  static constexpr size_t kMaxLine = 16 * 1024;

  // `path` is a file to append to, or "-" for standard output.
  explicit LineWriter(std::string path);

  // As AccessLog's. REQUIRES: no ring is written to any more.
  ~LineWriter();

  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // Opens the path and starts the thread. Once, before anything else.
  absl::Status Start();

  // A ring whose lines will be written; it lives as long as the writer. Threads: any.
  LineRing* NewRing(size_t capacity);

  // To be called after a line was put into `ring`. Threads: the ring's producer.
  void LineAdded(LineRing& ring) {
    const State state = state_.load(std::memory_order_seq_cst);
    if (state == State::kAwake || (state == State::kNapping && !ring.IsFilling())) return;
    if (state_.exchange(State::kAwake) != State::kAwake) Wake();
  }

  // Opens the path again. Threads: any, and signal handlers.
  void Reopen();

  // Threads: any.
  uint64_t written() const { return written_.Value(); }            // lines
  uint64_t lost() const { return lost_.Value(); }                  // lines, for write errors
  uint64_t write_errors() const { return write_errors_.Value(); }  // failed attempts to write
  uint64_t refused() const;  // lines, for want of room in a ring

 private:
  enum class State { kAwake, kNapping, kAsleep };
  using Clock = std::chrono::steady_clock;

  absl::Status OpenFile();
  void Run();
  bool DrainRings();
  size_t FillBatch();
  void ReopenIfAsked();
  bool AnyRingHolds(double share) const;
  void Sleep(State state);
  void Wake();
  void ForgetWakeUps();
  void WriteBatch(std::string_view batch);
  ssize_t WriteSome(std::string_view bytes);
  bool WaitUntilWritable();
  void Lose(std::string_view lines);  // reports errno

  const std::string path_;
  int fd_ = -1;
  bool blocks_ = false;  // a pipe, terminal or socket, whose reader may be slow
  bool torn_ = false;    // the last byte written was not the end of a line
  int wake_fd_ = -1;
  std::vector<char> batch_;
  size_t turn_ = 0;  // which ring is the first to be looked at
  log::Limited write_failed_;

  std::atomic<State> state_{State::kAwake};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> reopen_{false};
  std::optional<Clock::time_point>
      give_up_at_;  // set when stopping meets a reader that does not read

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<LineRing>> rings_;  // guarded by mutex_; the rings themselves are not

  Counter written_;
  Counter lost_;
  Counter write_errors_;
  std::thread thread_;
};

}  // namespace pillion::telemetry

#endif  // PILLION_CORE_TELEMETRY_LINE_WRITER_H_
