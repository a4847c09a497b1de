// The control process: everything in it, from the policy directory to the last answer.
//
//   auto control = Control::Create(bootstrap);
//   ...                                   // ports are open
//   (*control)->Run();                    // until Stop()
#ifndef PILLION_CONTROL_CONTROL_H_
#define PILLION_CONTROL_CONTROL_H_

#include <memory>

#include "absl/status/statusor.h"

namespace pillion::config::v1 {
class ControlBootstrap;
}

namespace pillion::control {

class Control {
 public:
  // Reads the last good policy and opens both ports. Errors say what cannot be had, and the fix.
  static absl::StatusOr<std::unique_ptr<Control>> Create(
      const config::v1::ControlBootstrap& bootstrap);
  ~Control();

  // Follows the policy directory and serves, on this thread and others, until Stop().
  void Run();

  // Ends Run(). Any thread; may be called again.
  void Stop();

 private:
  class Impl;
  explicit Control(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace pillion::control

#endif  // PILLION_CONTROL_CONTROL_H_
