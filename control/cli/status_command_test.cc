#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "control/cli/run_pillionctl.h"
#include "control/rest_server.h"
#include "core/http/problem.h"
#include "core/http/server.h"
#include "core/net/address.h"
#include "core/net/loop.h"
#include "core/net/socket.h"
#include "core/net/task_group.h"
#include "core/strings.h"

namespace pillion::control {
namespace {

// The answers, by path.
using Bodies = std::map<std::string, std::string, std::less<>>;

// Answers each path with its text, others with a problem.
class Canned final : public http::RequestHandler {
 public:
  explicit Canned(Bodies bodies) : bodies_(std::move(bodies)) {}

  net::Task<void> Handle(http::ServerExchange& exchange) override {
    const auto found = bodies_.find(exchange.request().path);
    if (found != bodies_.end()) {
      (void)co_await exchange.SendWhole(200, "application/json", found->second, exchange.scope());
      co_return;
    }
    http::Problem problem(404, "", "there is no such thing here");
    (void)co_await exchange.SendProblem(problem, exchange.scope());
  }

 private:
  const Bodies bodies_;
};

// What stands in for control while it lives.
class FakeControl {
 public:
  explicit FakeControl(Bodies bodies)
      : handler_(std::move(bodies)),
        loop_(*net::Loop::Create(net::IoKind::kEpoll)),
        server_(*RestServer::Open(*loop_, "127.0.0.1:0", handler_)),
        stop_(*loop_),
        serving_(*loop_),
        thread_([this] { Run(); }) {}
  ~FakeControl() {
    loop_->Post([this] { stop_.Cancel(absl::CancelledError("the test is over")); });
    thread_.join();
  }

  std::string url() const { return StrCat("http://", server_->address()); }

 private:
  void Run() {
    serving_.Spawn(Serve());
    loop_->Run();
  }
  net::Task<void> Serve() {
    co_await server_->Serve(stop_);
    loop_->Stop();
  }

  Canned handler_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<RestServer> server_;
  net::CancelScope stop_;
  net::TaskGroup serving_;
  std::thread thread_;
};

Finished Status(const std::string& url) {
  return RunPillionctl({"status", "--control", url}, TestDirectory());
}

constexpr char kHint[] =
    "Is pillion-control running, and is this the address of its `rest`? Name another with "
    "--control HOST:PORT.\n";
constexpr char kWrongAddress[] =
    "Name its `rest` with --control HOST:PORT: 127.0.0.1:18001 unless its bootstrap says "
    "otherwise; the log has it as 'serving people (REST) on HOST:PORT'.\n";

TEST(PillionctlStatus, ShowsThePolicyAndEverySidecar) {
  FakeControl control(Bodies{{"/v1/policy", R"({
    "version": { "id": "v2", "sequence": 7, "time": "2026-11-22T10:00:00Z", "later_field": 1 },
    "check": { "valid": false, "errors": ["policy/a.yaml:1:1: clustr: unknown field"] },
    "state_error": "/var/lib/pillion: No space left on device" })"},
                             {"/v1/nodes", R"({ "current_version": "v2", "nodes": [
    { "id": "users-1", "service": "users", "state": "REJECTED", "version_applied": "v1",
      "applied_at": "2026-11-22T09:00:00.250Z", "connected_since": "2026-11-22T08:00:00Z",
      "last_rejection": { "version": "v2", "type": "PolicyVersion",
                          "time": "2026-11-22T10:00:01Z", "reason": "first\nsecond\u001b[2J" } },
    { "id": "web-1", "service": "web", "state": "CURRENT", "version_applied": "v2",
      "applied_at": "2026-11-22T10:00:00Z", "connected_since": "2026-11-22T08:00:00Z",
      "duplicate_id": true },
    { "id": "web-2", "service": "web", "state": "DISCONNECTED",
      "disconnected_at": "2026-11-22T09:30:00Z" } ] })"}});
  const Finished finished = Status(control.url());
  EXPECT_EQ(finished.err, "");
  EXPECT_EQ(finished.out,
            R"(policy v2, number 7, served since 2026-11-22T10:00:00Z
the policy directory has mistakes, and that policy stays until they are mended:
  policy/a.yaml:1:1: clustr: unknown field
the last good policy could not be kept: /var/lib/pillion: No space left on device

NODE     SERVICE  STATE         VERSION  CONFIRMED             CONNECTED
users-1  users    rejected      v1       2026-11-22T09:00:00Z  2026-11-22T08:00:00Z
  refused version v2 at 2026-11-22T10:00:01Z (PolicyVersion):
    first
    second?[2J
web-1    web      current       v2       2026-11-22T10:00:00Z  2026-11-22T08:00:00Z
  another sidecar is connected with the same id
web-2    web      disconnected  -        -                     -
  disconnected at 2026-11-22T09:30:00Z
)");
  EXPECT_EQ(finished.status, 0);
}

TEST(PillionctlStatus, SaysThatThereIsNothingYet) {
  FakeControl control(Bodies{{"/v1/policy", R"({ "check": { "errors": ["policy/: no files"] } })"},
                             {"/v1/nodes", "{}"}});
  const Finished finished = Status(control.url() + "/");
  EXPECT_EQ(finished.out,
            "no policy is served: there has not been one without mistakes\n"
            "the policy directory has mistakes, and none is taken until they are mended:\n"
            "  policy/: no files\n"
            "\n"
            "no sidecar has connected\n");
  EXPECT_EQ(finished.status, 0);
}

TEST(PillionctlStatus, PrintsTheAnswerItselfAsJson) {
  FakeControl control(
      Bodies{{"/v1/policy", R"({ "check": {} })"}, {"/v1/nodes", "{ \"nodes\": [] }\n"}});
  const Finished finished =
      RunPillionctl({"status", "--json", "--control", control.url()}, TestDirectory());
  EXPECT_EQ(finished.out, "{ \"nodes\": [] }\n");
  EXPECT_EQ(finished.err, "");
  EXPECT_EQ(finished.status, 0);
}

TEST(PillionctlStatus, SaysThatItReachedSomethingElse) {
  FakeControl other(Bodies{});
  const Finished wrong_path = Status(other.url());
  EXPECT_EQ(wrong_path.err,
            StrCat("what answers at ", other.url(),
                   " is not control: the answer has status 404: there is no such thing here\n",
                   kWrongAddress));
  EXPECT_EQ(wrong_path.status, 1);

  for (const char* body : {"<html>", "{}", "[]", R"({"nodes": []})"}) {
    FakeControl odd(Bodies{{"/v1/nodes", body}, {"/v1/policy", body}});
    for (const bool json : {false, true}) {
      std::vector<std::string> words = {"status", "--control", odd.url()};
      if (json) words.push_back("--json");
      const Finished wrong_body = RunPillionctl(words, TestDirectory());
      EXPECT_EQ(wrong_body.err,
                StrCat("what answers at ", odd.url(),
                       " is not control: the answer is not one of control's\n", kWrongAddress));
      EXPECT_EQ(wrong_body.out, "");
      EXPECT_EQ(wrong_body.status, 1);
    }
  }
}

TEST(PillionctlStatus, SaysWhyControlCannotBeReached) {
  const std::string free_port = [] {
    const std::unique_ptr<net::Loop> loop = *net::Loop::Create(net::IoKind::kEpoll);
    return net::Listener::Bind(*loop, *net::Address::Parse("127.0.0.1:0"), {})
        ->address()
        .ToString();
  }();
  for (const std::string& address : {free_port, StrCat("http://", free_port)}) {
    const Finished refused = Status(address);
    EXPECT_EQ(refused.err, StrCat("control does not answer at ", address,
                                  ": connect: Connection refused\n", kHint));
    EXPECT_EQ(refused.status, 1);
  }

  const Finished bad_url = Status("https://127.0.0.1:18001");
  EXPECT_EQ(bad_url.status, 1);
  EXPECT_EQ(bad_url.err, StrCat("control does not answer at https://127.0.0.1:18001: "
                                "'https://127.0.0.1:18001/v1/policy': a URL starts with http://\n",
                                kHint));
}

}  // namespace
}  // namespace pillion::control
