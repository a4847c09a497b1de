// A store that cannot be written, or cannot be opened: what callers and operators are told.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

std::string Policy(const Origin& origin) {
  return absl::Substitute(R"(
clusters:
- { name: orders, endpoints: ["127.0.0.1:$0"] }
virtual_hosts:
- name: orders
  domains: [orders]
  routes:
  - { match: { path: /async }, async: { cluster: orders } }
  - { match: { path: /publish }, publish: { topic: order.news } }
  - match: { path: /emit }
    route: { cluster: orders }
    emit: [{ topic: order.changed }]
  - match: { path: /emit-at-least-once }
    route: { cluster: orders }
    emit: [{ topic: order.changed, guarantee: AT_LEAST_ONCE }]
  - { match: { prefix: / }, route: { cluster: orders } }
subscriptions:
- { name: hub, topic: order.*, cluster: orders, path: /hub }
)",
                          origin.port());
}

// The most that the process may write to any of its files. Lowering it fills the disk, as far as
// the process can tell; raising it makes room.
void LimitFiles(Process& process, rlim_t bytes) {
  rlimit limit{};
  ASSERT_EQ(prlimit(process.pid(), RLIMIT_FSIZE, nullptr, &limit), 0);
  limit.rlim_cur = std::min(bytes, limit.rlim_max);
  ASSERT_EQ(prlimit(process.pid(), RLIMIT_FSIZE, &limit, nullptr), 0);
}

TEST(FullDisk, IsToldAndNothingIsPretendedUntilThereIsRoom) {
  Origin origin([](const Request&) { return Response{.body = "done"}; });
  SidecarProcess sidecar(Policy(origin));
  ASSERT_TRUE(sidecar.Start().ok());
  LimitFiles(sidecar.process(), 512 * 1024);
  const std::string filling(64 * 1024, 'x');
  std::vector<Response> accepted;
  Response refused;
  for (int i = 0; i < 1000 && refused.status != 503; ++i) {
    refused = sidecar.Call("POST", "http://orders/async", absl::StrCat("number ", i, " ", filling));
    if (refused.status == 202) accepted.push_back(refused);
  }
  ASSERT_EQ(refused.status, 503);
  EXPECT_FALSE(accepted.empty());
  EXPECT_EQ(refused.Header("content-type"), "application/problem+json");
  EXPECT_TRUE(refused.Header("retry-after").has_value());
  EXPECT_EQ(refused.Header("pillion-flag"), "OM");
  const std::string detail = ParseJson(refused).value("detail", "");
  EXPECT_TRUE(absl::StrContains(detail, "disk is full")) << detail;
  EXPECT_TRUE(absl::StrContains(detail, "deliveries.db")) << detail;

  const Response message =
      sidecar.Call("POST", "http://orders/publish", absl::StrCat("message ", filling));
  EXPECT_EQ(message.status, 503);
  // Operators see it, too.
  EXPECT_TRUE(sidecar.process().WaitForOutput("the store fails: .*the disk is full").ok());
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(sidecar.Admin("GET", "/stats/prometheus").body,
                             "\npillion_delivery_rejected_total{reason=\"store\"} 2\n");
  })) << sidecar.Admin("GET", "/stats/prometheus").body;
  // What need not be stored goes on.
  EXPECT_EQ(sidecar.Call("POST", "http://orders/forward", filling).body, "done");
  EXPECT_EQ(sidecar.Call("GET", "http://orders/forward").body, "done");

  LimitFiles(sidecar.process(), RLIM_INFINITY);
  Response again;
  EXPECT_TRUE(Eventually([&] {
    again = sidecar.Call("POST", "http://orders/async", "number after");
    return again.status == 202;
  })) << again.body;
  EXPECT_TRUE(sidecar.process().WaitForOutput("the store works again").ok());
  const std::string log = sidecar.process().Output();
  EXPECT_EQ(log.find("the store fails"), log.rfind("the store fails")) << log;
  accepted.push_back(again);
  for (const Response& call : accepted) {
    EXPECT_EQ(sidecar.AwaitFinal(call).value("status", ""), "succeeded");
  }
  // What was refused never reached the upstream, and is not in any list.
  size_t async = 0;
  for (const Request& request : origin.requests()) {
    async += request.target == "/async";
    EXPECT_NE(request.target, "/hub");
  }
  EXPECT_EQ(async, accepted.size());
  const Json listed = ParseJson(sidecar.Admin("GET", "/.pillion/deliveries?page_size=1000"));
  EXPECT_EQ(listed["deliveries"].size(), accepted.size());
}

TEST(FullDisk, IsNoReasonToSayThatAnEventIsSafe) {
  Origin origin([](const Request&) { return Response{.body = "done"}; });
  SidecarProcess sidecar(Policy(origin));
  ASSERT_TRUE(sidecar.Start().ok());
  LimitFiles(sidecar.process(), 1);
  const Response refused = sidecar.Call("POST", "http://orders/emit");
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(absl::StrContains(refused.body, "the upstream answered 200")) << refused.body;
  EXPECT_TRUE(absl::StrContains(refused.body, "disk is full")) << refused.body;
  LimitFiles(sidecar.process(), RLIM_INFINITY);
  EXPECT_TRUE(Eventually([&] { return sidecar.Call("POST", "http://orders/emit").status == 200; }));
}

TEST(FullDisk, KeepsACallBackWhoseEventMustNotBeLost) {
  Origin origin([](const Request&) { return Response{.body = "done"}; });
  SidecarProcess sidecar(Policy(origin));
  ASSERT_TRUE(sidecar.Start().ok());
  LimitFiles(sidecar.process(), 1);
  const Response refused = sidecar.Call("POST", "http://orders/emit-at-least-once");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.Header("pillion-flag"), "OM");
  EXPECT_TRUE(refused.Header("retry-after").has_value());
  EXPECT_TRUE(absl::StrContains(refused.body, "nothing was done")) << refused.body;
  EXPECT_EQ(origin.request_count(), 0u);
  LimitFiles(sidecar.process(), RLIM_INFINITY);
  EXPECT_TRUE(Eventually(
      [&] { return sidecar.Call("POST", "http://orders/emit-at-least-once").status == 200; }));
}

TEST(FullDisk, LosesNoOutcomeOfWhatRan) {
  std::atomic<bool> full = false;
  SidecarProcess* process = nullptr;
  // The disk fills while the call is at the upstream.
  Origin origin([&](const Request&) {
    LimitFiles(process->process(), 1);
    full = true;
    return Response{.body = "the only answer"};
  });
  SidecarProcess sidecar(Policy(origin));
  process = &sidecar;
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/async", "{}");
  ASSERT_EQ(accepted.status, 202);
  ASSERT_TRUE(Eventually([&] { return full.load(); }));
  EXPECT_FALSE(IsFinal(sidecar.Status(accepted)));
  LimitFiles(sidecar.process(), RLIM_INFINITY);
  EXPECT_EQ(sidecar.AwaitFinal(accepted).value("status", ""), "succeeded");
  EXPECT_EQ(sidecar.Call("GET", *accepted.Header("location") + "/result").body, "the only answer");
  EXPECT_EQ(origin.request_count(), 1u);
}

// Starts, expects it to end with status 1, and returns what it said.
std::string WhyNotStarted(SidecarProcess& sidecar) {
  const absl::StatusOr<Finished> finished = sidecar.StartToFail();
  EXPECT_TRUE(finished.ok()) << finished.status();
  if (!finished.ok()) return "";
  EXPECT_EQ(finished->status, ExitStatus::Code(1)) << finished->output;
  return finished->output;
}

TEST(Store, ThatIsDamagedIsNamedAndLeftAsItIs) {
  Origin origin([](const Request&) { return Response(); });
  SidecarProcess sidecar(Policy(origin));
  const std::string file = sidecar.store() + "/deliveries.db";
  const std::string garbage(20000, 'x');
  ASSERT_TRUE(WriteFileAtomically(file, garbage).ok());
  const std::string why = WhyNotStarted(sidecar);
  EXPECT_TRUE(absl::StrContains(why, file)) << why;
  EXPECT_TRUE(absl::StrContains(why, "not an intact SQLite database")) << why;
  EXPECT_TRUE(absl::StrContains(why, "move them away")) << why;
  EXPECT_EQ(ReadFile(file).value(), garbage);
  std::filesystem::rename(file, file + ".broken");
  EXPECT_TRUE(sidecar.Start().ok());
}

TEST(Store, BelongsToOneSidecar) {
  Origin origin([](const Request&) { return Response(); });
  SidecarProcess first(Policy(origin));
  ASSERT_TRUE(first.Start().ok());
  SidecarProcess second(Policy(origin), first.store());
  const std::string why = WhyNotStarted(second);
  EXPECT_TRUE(absl::StrContains(why, first.store())) << why;
  EXPECT_TRUE(absl::StrContains(why, absl::StrCat("in use by process ", first.process().pid())))
      << why;
  EXPECT_TRUE(absl::StrContains(why, "a store path of its own")) << why;
  const Response accepted = first.Call("POST", "http://orders/async");
  EXPECT_EQ(first.AwaitFinal(accepted).value("status", ""), "succeeded");
  first.Kill();
  EXPECT_TRUE(second.Start().ok());
}

TEST(Store, ThatSomebodyElseHasLockedIsNamed) {
  Origin origin([](const Request&) { return Response(); });
  SidecarProcess sidecar(Policy(origin));
  ASSERT_TRUE(sidecar.Start().ok());
  ASSERT_EQ(sidecar.Terminate().value(), ExitStatus::Code(0));
  const std::string file = sidecar.store() + "/deliveries.db";
  sqlite3* shell = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &shell), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(shell, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr), SQLITE_OK);
  const std::string why = WhyNotStarted(sidecar);
  EXPECT_TRUE(absl::StrContains(why, file)) << why;
  EXPECT_TRUE(absl::StrContains(why, "locked by another process")) << why;
  sqlite3_close(shell);
  EXPECT_TRUE(sidecar.Start().ok());
}

TEST(Store, WhoseLockCannotBeOpenedSaysWhyAndWhatToDo) {
  Origin origin([](const Request&) { return Response(); });
  SidecarProcess sidecar(Policy(origin));
  // As a directory that cannot be written, which for root there is not.
  std::filesystem::create_directories(sidecar.store() + "/deliveries.lock");
  const std::string why = WhyNotStarted(sidecar);
  EXPECT_TRUE(absl::StrContains(
      why, absl::StrCat("store ", sidecar.store(),
                        "/deliveries.lock: cannot be opened (Is a directory); make its directory "
                        "writable for the sidecar's user, or set another store.path")))
      << why;
}

TEST(Store, SaysAtTheStartWhatItHas) {
  Origin origin([](const Request& request) {
    return Response{.status = request.target == "/hub" ? 400 : 503};
  });
  SidecarProcess sidecar(Policy(origin));
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_TRUE(absl::StrContains(sidecar.process().Output(),
                                "found in the store: 0 pending, 0 failed (dead letters)"));
  const Response message = sidecar.Call("POST", "http://orders/publish");
  EXPECT_EQ(sidecar.AwaitFinal(message).value("status", ""), "failed");
  ASSERT_EQ(sidecar.Call("POST", "http://orders/async").status, 202);
  ASSERT_EQ(sidecar.Call("POST", "http://orders/async").status, 202);
  sidecar.Kill();
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_TRUE(absl::StrContains(sidecar.process().Output(),
                                "found in the store: 2 pending, 1 failed (dead letters)"))
      << sidecar.process().Output();
}

TEST(Store, IsMadeWithItsParents) {
  Origin origin([](const Request&) { return Response(); });
  const TempDir directory;
  SidecarProcess sidecar(Policy(origin), directory / "not/yet/there");
  EXPECT_TRUE(sidecar.Start().ok());
  EXPECT_TRUE(std::filesystem::exists(directory / "not/yet/there/deliveries.db"));
  EXPECT_EQ(std::filesystem::status(directory / "not/yet/there").permissions(),
            std::filesystem::perms::owner_all);
}

TEST(Store, ThatCannotBeMadeIsNamed) {
  Origin origin([](const Request&) { return Response(); });
  const TempDir directory;
  ASSERT_TRUE(WriteFileAtomically(directory / "file", "x").ok());
  for (const std::string& path :
       {directory / "file", directory / "file/store", std::string("/proc/pillion")}) {
    SidecarProcess sidecar(Policy(origin), path);
    const std::string why = WhyNotStarted(sidecar);
    EXPECT_TRUE(absl::StrContains(why, path)) << why;
    EXPECT_TRUE(absl::StrContains(why, "cannot start")) << why;
    EXPECT_TRUE(absl::StrContains(why, "store.path") || absl::StrContains(why, "check the owner"))
        << why;
  }
}

TEST(Store, ThatCannotBeMadeIsFoundByAValidation) {
  Origin origin([](const Request&) { return Response(); });
  const TempDir directory;
  ASSERT_TRUE(WriteFileAtomically(directory / "file", "x").ok());
  for (const std::string& path : {directory / "file", directory / "file/store"}) {
    SidecarProcess sidecar(Policy(origin), path);
    const absl::StatusOr<Finished> checked = sidecar.Validate();
    ASSERT_TRUE(checked.ok()) << checked.status();
    EXPECT_EQ(checked->status, ExitStatus::Code(1)) << checked->output;
    EXPECT_TRUE(absl::StrContains(checked->output, absl::StrCat("store.path ", path, ": ")))
        << checked->output;
  }
}

TEST(Store, ThatIsInUseOrNotThereYetIsFineForAValidation) {
  Origin origin([](const Request&) { return Response{.body = "done"}; });
  SidecarProcess sidecar(Policy(origin));
  EXPECT_EQ(sidecar.Validate()->out, "ok\n");
  EXPECT_FALSE(std::filesystem::exists(sidecar.store()));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/async");
  EXPECT_EQ(sidecar.Validate()->out, "ok\n");
  EXPECT_EQ(sidecar.AwaitFinal(accepted).value("status", ""), "succeeded");
}

}  // namespace
}  // namespace pillion::harness
