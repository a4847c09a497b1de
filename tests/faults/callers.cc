#include "tests/faults/callers.h"

#include <chrono>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/integration/harness/http_client.h"

namespace pillion::faults {
namespace {

constexpr size_t kThreadsPerWeb = 2;
constexpr size_t kKeysPerThread = 3;
constexpr size_t kMaxPadding = 3000;  // bytes of a body beside its number
// Longer than anything is stopped.
constexpr std::chrono::minutes kPatience(2);
// Between two calls of a thread, to leave the machine something for those who are called; and after
// one that was not accepted.
constexpr std::chrono::milliseconds kPause(2);
constexpr std::chrono::milliseconds kPauseAfterFailure(20);

uint64_t Below(uint64_t bound, std::mt19937_64& random) {
  return std::uniform_int_distribution<uint64_t>(0, bound - 1)(random);
}

}  // namespace

Callers::Callers(Mesh& mesh, uint64_t seed)
    : mesh_(mesh),
      accepted_by_(mesh.webs().size()),
      io_errors_(mesh.webs().size()),
      full_disks_(mesh.webs().size()) {
  const size_t threads = kThreadsPerWeb * mesh.webs().size();
  for (size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this, i, seed] { Run(i, seed + i); });
  }
}

void Callers::Stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::vector<Call> Callers::calls() const {
  std::lock_guard lock(mutex_);
  return calls_;
}

Call Callers::Make(size_t thread, std::mt19937_64& random) {
  Call call;
  call.number = next_number_++;
  const uint64_t dice = Below(10, random);
  call.path = dice < 4 ? kAsyncPath : dice < 8 ? kPublishPath : kChangingPath;
  call.key = absl::StrCat("key-", thread, "-", Below(kKeysPerThread, random));
  call.sidecar = thread % mesh_.webs().size();
  return call;
}

void Callers::Run(size_t thread, uint64_t seed) {
  std::mt19937_64 random(seed);
  const Web& web = *mesh_.webs()[thread % mesh_.webs().size()];
  harness::HttpClient client(web.port);
  while (!stopping_) {
    Call call = Make(thread, random);
    harness::Request request;
    request.method = "POST";
    request.target = absl::StrCat("http://shop", call.path);
    request.headers = {{"x-key", call.key}, {"Content-Type", "text/plain"}};
    request.body = absl::StrCat(call.number, " ", std::string(Below(kMaxPadding, random), 'x'));
    call.start = web.program.starts();
    const absl::StatusOr<harness::Response> response = client.Send(std::move(request), kPatience);
    call.end_start = web.program.starts();
    if (response.ok()) {
      Judge(*response, call);
    } else {
      call.detail = response.status().ToString();
    }
    const bool accepted = call.outcome == Call::Outcome::kAccepted;
    if (accepted) {
      ++accepted_;
      ++accepted_by_[call.sidecar];
    }
    {
      std::lock_guard lock(mutex_);
      calls_.push_back(std::move(call));
    }
    std::this_thread::sleep_for(accepted ? kPause : kPauseAfterFailure);
  }
}

void Callers::Judge(const harness::Response& response, Call& call) {
  using Outcome = Call::Outcome;
  const std::string location = response.Header("location").value_or("");
  const size_t slash = location.rfind('/');
  if (response.status == 202 && slash != std::string::npos) {
    call.outcome = Outcome::kAccepted;
    call.is_message = absl::StartsWith(location, "/.pillion/messages/");
    call.id = location.substr(slash + 1);
    return;
  }
  call.detail = absl::StrCat(response.status, " ", response.body);
  const bool io_error = absl::StrContains(response.body, "input/output error");
  io_errors_[call.sidecar] += io_error;
  full_disks_[call.sidecar] += absl::StrContains(response.body, "disk is full");
  if (response.status == 200 && call.path == kChangingPath) {
    call.outcome = Outcome::kForwarded;
  } else if (io_error || (call.path == kChangingPath && !response.Header("retry-after"))) {
    // What an fsync failed for may be on the disk all the same, and come back after a kill; what
    // was forwarded may have been received.
    call.outcome = Outcome::kUnknown;
  } else {
    call.outcome = Outcome::kRefused;
  }
}

}  // namespace pillion::faults
