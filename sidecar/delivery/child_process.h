// Running a part of a test in a process of its own, which may be killed or robbed of its disk. For
// tests only.
#ifndef PILLION_SIDECAR_DELIVERY_CHILD_PROCESS_H_
#define PILLION_SIDECAR_DELIVERY_CHILD_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <string>

namespace pillion::delivery {

// The caller must have no other threads.
class ChildProcess {
 public:
  // `body` gets a descriptor whose other end is the parent's `output()`. The child ends when it
  // returns, with status 1 if an expectation of GoogleTest failed in it.
  explicit ChildProcess(const std::function<void(int output)>& body);
  ~ChildProcess();  // kills it

  pid_t pid() const { return pid_; }
  int output() const { return output_; }
  // What is left of the output, to its end.
  std::string ReadAll();
  // One line, without its end; empty at the end of the output.
  std::string ReadLine();
  void Kill();
  // The exit status; 128 + signal if one ended it.
  int Wait();

 private:
  pid_t pid_ = -1;
  int output_ = -1;
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_CHILD_PROCESS_H_
