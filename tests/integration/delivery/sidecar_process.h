// A stand-alone sidecar as a real process: policy from a file, a store of its own, ports of its
// choice.
//
//   SidecarProcess sidecar(policy);
//   ASSERT_TRUE(sidecar.Start().ok());
//   Response accepted = sidecar.Call("POST", "http://orders/reports", "{}");
//   EXPECT_EQ(sidecar.AwaitFinal(accepted)["status"], "succeeded");

#ifndef PILLION_TESTS_INTEGRATION_DELIVERY_SIDECAR_PROCESS_H_
#define PILLION_TESTS_INTEGRATION_DELIVERY_SIDECAR_PROCESS_H_

#include <atomic>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "tests/integration/harness/files.h"
#include "tests/integration/harness/http.h"
#include "tests/integration/harness/process.h"

namespace pillion::harness {

using Json = nlohmann::json;

// More of the bootstrap: fields of `store` as ", max_pending: 3" and of `node`, further
// `listeners`, each a line that begins with "- ", and lines of its own.
struct MoreBootstrap {
  std::string store = {};
  std::string lines = {};
  std::string node = {};
  std::string listeners = {};
};

// Calls are thread-safe, also while it is away: they fail. What starts, stops or edits is for one
// thread, which must live as long as the process does.
class SidecarProcess {
 public:
  // Its store is a new directory, or `store`.
  explicit SidecarProcess(std::string policy, std::string store = "",
                          const MoreBootstrap& more = {});

  // Starts, and waits until it is ready. Again after its end: on the same store, with other ports.
  absl::Status Start();
  // Starts, and waits for it to end by itself.
  absl::StatusOr<Finished> StartToFail();
  // Runs `--mode validate` on the same bootstrap.
  absl::StatusOr<Finished> Validate();
  // SIGKILL; returns when it is gone.
  void Kill();
  // SIGTERM; returns the exit status.
  absl::StatusOr<ExitStatus> Terminate();

  // Replaces the policy file.
  absl::Status WritePolicy(const std::string& policy);
  // The same, and waits until the sidecar says that it is in effect.
  absl::Status EditPolicy(const std::string& policy);

  // One call on a connection of its own. A target is a path or, as to a proxy, http://HOST/PATH. If
  // there was no answer, the status is 0 and the body says why.
  Response Call(const std::string& method, const std::string& target, const std::string& body = "",
                Headers headers = {}) const;
  // The same on the admin listener.
  Response Admin(const std::string& method, const std::string& target,
                 const std::string& body = "") const;

  // The status of what an accepting answer's Location names.
  Json Status(const Response& accepted) const;
  // The same, once `done` says so; null if it does not.
  Json AwaitStatus(const Response& accepted, const std::function<bool(const Json&)>& done) const;
  // Once it is final.
  Json AwaitFinal(const Response& accepted) const;

  int port() const { return port_; }  // of the outbound listener
  int admin_port() const { return admin_port_; }
  const std::string& store() const { return store_; }
  Process& process() { return *process_; }

 private:
  Process::Options Command() const;

  TempDir directory_;
  const std::string store_;
  std::unique_ptr<Process> process_;
  std::atomic<int> port_ = 0;
  std::atomic<int> admin_port_ = 0;
};

// The JSON of a body; null if it is none.
Json ParseJson(const Response& response);

// Whether a status is final: of an operation, or of a message.
bool IsFinal(const Json& status);

}  // namespace pillion::harness

#endif  // PILLION_TESTS_INTEGRATION_DELIVERY_SIDECAR_PROCESS_H_
