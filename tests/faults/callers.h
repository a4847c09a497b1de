// Services that call the sidecars without pause, and write down what they were told.

#ifndef PILLION_TESTS_FAULTS_CALLERS_H_
#define PILLION_TESTS_FAULTS_CALLERS_H_

#include <atomic>
#include <cstdint>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "tests/faults/mesh.h"
#include "tests/faults/record.h"

namespace pillion::faults {

// Some threads for each web, from construction until Stop(). Each has keys of its own and makes one
// call after the other, so that it knows in which order those of a key were accepted.
class Callers {
 public:
  Callers(Mesh& mesh, uint64_t seed);
  ~Callers() { Stop(); }
  Callers(const Callers&) = delete;
  Callers& operator=(const Callers&) = delete;

  // Returns when no call is under way any more.
  void Stop();
  // The calls so far; those of one thread in their order.
  std::vector<Call> calls() const;

  uint64_t accepted() const { return accepted_; }
  uint64_t accepted_by(size_t web) const { return accepted_by_[web]; }
  // Answers that say that the store fails: input/output errors, and a full disk.
  uint64_t told_of_io_errors(size_t web) const { return io_errors_[web]; }
  uint64_t told_of_full_disk(size_t web) const { return full_disks_[web]; }

 private:
  void Run(size_t thread, uint64_t seed);
  Call Make(size_t thread, std::mt19937_64& random);
  void Judge(const harness::Response& response, Call& call);

  Mesh& mesh_;
  std::atomic<bool> stopping_ = false;
  std::atomic<uint64_t> next_number_ = 1;
  std::atomic<uint64_t> accepted_ = 0;
  std::vector<std::atomic<uint64_t>> accepted_by_;
  std::vector<std::atomic<uint64_t>> io_errors_;
  std::vector<std::atomic<uint64_t>> full_disks_;
  mutable std::mutex mutex_;
  std::vector<Call> calls_;
  std::vector<std::thread> threads_;
};

}  // namespace pillion::faults

#endif  // PILLION_TESTS_FAULTS_CALLERS_H_
