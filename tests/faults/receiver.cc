// A service that receives calls and messages, and writes down what it received before it answers:
//
//   receiver PORT RECORD FAULTS
//
// RECORD gets a line PATH NUMBER for each request (record.h), and outlives a kill. FAULTS says how
// it misbehaves (ReceiverFaults). Runs until it is killed.

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/faults/record.h"
#include "tests/faults/shared.h"
#include "tests/integration/harness/connection.h"
#include "tests/integration/harness/http.h"
#include "tests/integration/harness/origin.h"

namespace pillion::faults {
namespace {

class Receiver {
 public:
  Receiver(int record, const std::string& faults) : record_(record), faults_(faults) {}

  void Serve(harness::Connection& connection) {
    // However long the peer keeps an idle connection, it ends with the peer.
    constexpr std::chrono::milliseconds kIdle = std::chrono::hours(24);
    while (true) {
      auto request = harness::ReadRequestHead(connection, kIdle);
      if (!request.ok() || !harness::ReadRequestBody(connection, *request, nullptr).ok()) return;
      const std::string number = request->body.substr(0, request->body.find(' '));
      const std::string line = absl::StrCat(request->target, " ", number, "\n");
      if (write(record_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
        std::perror("cannot write the record");
        std::abort();
      }
      if (!Answer(connection, number)) return;
    }
  }

 private:
  // False when the connection ends with it.
  bool Answer(harness::Connection& connection, const std::string& number) {
    const Misbehavior misbehavior = faults_->misbehavior;
    if (misbehavior != Misbehavior::kNone) ++faults_->misbehaved;
    harness::Response response;
    response.body = absl::StrCat("done ", number);
    if (IsPoison(std::strtoull(number.c_str(), nullptr, 10))) response.status = 422;
    switch (misbehavior) {
      case Misbehavior::kNone:
        break;
      case Misbehavior::kAnswer500:
        response.status = 500;
        break;
      case Misbehavior::kHang:
        harness::Eventually(
            [&] { return faults_->misbehavior != Misbehavior::kHang || connection.Readable(); },
            std::chrono::hours(1));
        return false;
      case Misbehavior::kResetMidAnswer:
        (void)connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf an ans");
        connection.ResetOnClose();
        return false;
    }
    return harness::WriteResponse(connection, response, "POST").ok();
  }

  const int record_;
  const Shared<ReceiverFaults> faults_;
};

}  // namespace
}  // namespace pillion::faults

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: receiver PORT RECORD FAULTS\n");
    return 64;
  }
  const int record = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (record < 0) {
    std::perror(argv[2]);
    return 1;
  }
  pillion::faults::Receiver receiver(record, argv[3]);
  pillion::harness::Origin origin(
      [&](pillion::harness::Connection& connection) { receiver.Serve(connection); },
      std::atoi(argv[1]));
  std::printf("receiver on 127.0.0.1:%d\n", origin.port());
  std::fflush(stdout);
  while (true) pause();
}
