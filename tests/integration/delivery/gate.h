// Holds an upstream's answers back until the test lets them go.

#ifndef PILLION_TESTS_INTEGRATION_DELIVERY_GATE_H_
#define PILLION_TESTS_INTEGRATION_DELIVERY_GATE_H_

#include <condition_variable>
#include <mutex>

namespace pillion::harness {

// Thread-safe. Closed at first; once open it stays so.
class Gate {
 public:
  void Open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return open_; });
  }

  // Opens it at the end of the scope, however that is left: an Origin cannot end while one of its
  // answers is held back.
  class AtEnd {
   public:
    explicit AtEnd(Gate& gate) : gate_(gate) {}
    AtEnd(const AtEnd&) = delete;
    AtEnd& operator=(const AtEnd&) = delete;
    ~AtEnd() { gate_.Open(); }

   private:
    Gate& gate_;
  };

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
};

}  // namespace pillion::harness

#endif  // PILLION_TESTS_INTEGRATION_DELIVERY_GATE_H_
