// Owns a file descriptor.

#ifndef PILLION_TESTS_INTEGRATION_HARNESS_UNIQUE_FD_H_
#define PILLION_TESTS_INTEGRATION_HARNESS_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace pillion::harness {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd() { Close(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

}  // namespace pillion::harness

#endif  // PILLION_TESTS_INTEGRATION_HARNESS_UNIQUE_FD_H_
