// The processes of a campaign:
//
//   callers -> web-1, web-2 -> orders-1 (inbound) -> receiver "orders"
//                           \-> receiver "audit"
//   control: gives all sidecars their policy
//
// web-1 and web-2 accept operations and messages, each into a store of its own. Every program has
// the same ports after each of its starts, so that nobody mistakes one for another.

#ifndef PILLION_TESTS_FAULTS_MESH_H_
#define PILLION_TESTS_FAULTS_MESH_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/faults/record.h"
#include "tests/faults/shared.h"
#include "tests/integration/harness/deadline.h"
#include "tests/integration/harness/http.h"
#include "tests/integration/harness/process.h"

namespace pillion::faults {

// A program that is killed and started again. Only starts() is for other threads than the one that
// starts it, which must live as long as the process does.
class Program {
 public:
  // `ready` is a pattern of its output. What it writes is added to the file `log` when it ends.
  Program(std::string name, harness::Process::Options options, std::string ready, std::string log);

  // Returns when it is ready.
  absl::Status Start();
  // SIGKILL; fails if that is not what it dies of.
  absl::Status Kill();
  // SIGTERM; fails if it does not end well.
  absl::Status Terminate();
  void Signal(int signal) { process_->Signal(signal); }

  const std::string& name() const { return name_; }
  int starts() const { return starts_; }  // so far
  pid_t pid() const { return process_->pid(); }
  bool running() const { return process_ != nullptr && process_->Running(); }
  bool stopped() const;                                      // by SIGSTOP
  std::string Output() const { return process_->Output(); }  // since its start
  void SaveLog();                                            // of what runs still

 private:
  const std::string name_;
  const harness::Process::Options options_;
  const std::string ready_;
  const std::string log_;
  std::unique_ptr<harness::Process> process_;
  std::atomic<int> starts_ = 0;
  size_t saved_ = 0;  // bytes of its output
};

// web-1 or web-2.
struct Web {
  Program program;
  const int port;
  const int admin_port;
  const std::string store;  // directory
  const Shared<SystemFaults> faults;
};

struct Receiver {
  Program program;
  const int port;
  const std::string record;  // file
  const Shared<ReceiverFaults> faults;
};

class Mesh {
 public:
  // The modes that the route of kChangingPath can have.
  enum class Mode { kAsync, kPublish, kForward };

  // With all its files in `directory`, which exists.
  explicit Mesh(std::string directory);

  // Starts everything, and waits until the policy is in effect.
  absl::Status Start();
  // Through control. Returns at once.
  absl::Status EditPolicy(Mode mode);
  // Whether web `i` runs the policy with that mode.
  bool RunsPolicy(size_t i, Mode mode) const;

  // Deliveries of web `i` that are not final; an error if it does not answer.
  absl::StatusOr<int64_t> Unfinished(size_t i) const;
  // What web `i` still has to do, for a person.
  std::string Describe(size_t i) const;
  // Asks web `i` for its deliveries and metrics, ends it, and reads its store.
  absl::StatusOr<SidecarRecord> Close(size_t i);
  // All programs' output goes to their log files.
  void SaveLogs();

  std::vector<Program*> programs();

  Program& control() { return *control_; }
  Program& inbound() { return *inbound_; }
  std::vector<std::unique_ptr<Web>>& webs() { return webs_; }
  std::vector<std::unique_ptr<Receiver>>& receivers() { return receivers_; }
  const std::string& directory() const { return directory_; }

 private:
  void AddReceiver(const std::string& name);
  void AddWeb(const std::string& id);
  absl::StatusOr<harness::Response> Admin(size_t i, const std::string& target,
                                          harness::Deadline deadline) const;
  absl::Status ListDeliveries(size_t i, SidecarRecord& record) const;

  const std::string directory_;
  const int xds_port_;
  const int inbound_port_;
  std::unique_ptr<Program> control_;
  std::unique_ptr<Program> inbound_;
  std::vector<std::unique_ptr<Web>> webs_;
  std::vector<std::unique_ptr<Receiver>> receivers_;
};

}  // namespace pillion::faults

#endif  // PILLION_TESTS_FAULTS_MESH_H_
