// `callback`: who asked for it is told when an operation has ended.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/integration/delivery/gate.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/files.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

constexpr char kSecret[] = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
constexpr char kOldSecret[] = "whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7";

std::string Policy(int upstream_port, int hooks_port, const std::string& secret_file,
                   int hanging_port = 1) {
  return absl::Substitute(R"(
clusters:
- { name: orders, endpoints: ["127.0.0.1:$0"] }
- { name: hooks, endpoints: ["127.0.0.1:$1"] }
- { name: hanging, endpoints: ["127.0.0.1:$3"] }
virtual_hosts:
- name: orders
  domains: [orders]
  routes:
  - name: chosen
    match: { prefix: /chosen }
    async:
      cluster: orders
      callback:
        header: X-Callback
        allowed_targets: [{ authority: "Hooks.example:8080", prefix: /orders/, cluster: hooks }]
        secret_file: '$2'
  - name: few
    match: { prefix: /few }
    async:
      cluster: orders
      max_pending: 2
      callback: { cluster: hooks, secret_file: '$2' }
  - name: brief
    match: { prefix: /brief }
    async:
      cluster: orders
      callback: { cluster: hooks, secret_file: '$2', expires_after: 1s }
  - name: either
    match: { prefix: /either }
    async:
      cluster: orders
      callback:
        header: X-Callback
        allowed_targets:
        - { authority: hooks.example, prefix: /done, cluster: hooks }
        - { authority: hanging.example, prefix: /, cluster: hanging }
        secret_file: '$2'
  - name: fixed
    match: { prefix: / }
    async:
      cluster: orders
      callback:
        cluster: hooks
        path: /done
        secret_file: '$2'
        retry_policy: { num_retries: 1000, retry_back_off: { base_interval: 10ms, max_interval: 50ms } }
)",
                          upstream_port, hooks_port, secret_file, hanging_port);
}

// Whether a receiver that shares `secret` takes the request for genuine; an implementation that is
// none of ours.
bool Verifies(const Request& request, const std::string& secret) {
  constexpr char kScript[] = R"(
import base64, hashlib, hmac, sys
secret, id, timestamp, signatures, body = sys.argv[1:]
key = base64.b64decode(secret[len("whsec_"):])
digest = hmac.new(key, (id + "." + timestamp + "." + body).encode(), hashlib.sha256).digest()
expected = "v1," + base64.b64encode(digest).decode()
sys.exit(0 if expected in signatures.split(" ") else 1)
)";
  Process::Options python;
  python.arguments = {"/usr/bin/python3",
                      "-c",
                      kScript,
                      secret,
                      request.Header("webhook-id").value_or(""),
                      request.Header("webhook-timestamp").value_or(""),
                      request.Header("webhook-signature").value_or(""),
                      request.body};
  const absl::StatusOr<Finished> finished = RunToEnd(python);
  EXPECT_TRUE(finished.ok()) << finished.status();
  return finished.ok() && finished->status == ExitStatus::Code(0);
}

Json BodyOf(const Request& request) {
  return Json::parse(request.body, nullptr, /*allow_exceptions=*/false);
}

class Callback : public testing::Test {
 protected:
  Callback() {
    WriteFileAtomically(secrets_, absl::StrCat(kSecret, "\n# until July\n", kOldSecret, "\n"))
        .IgnoreError();
  }

  // The status once the announcement of the end has got there.
  Json AwaitAnnounced(const SidecarProcess& sidecar, const Response& accepted) {
    return sidecar.AwaitStatus(accepted, [](const Json& status) {
      return status.contains("callback") && status["callback"]["status"] == "succeeded";
    });
  }

  std::atomic<int> hook_status_ = 204;
  TempDir directory_;
  const std::string secrets_ = directory_ / "secrets";
  Origin upstream_{[](const Request& request) {
    return Response{.status = request.target == "/bad" ? 400 : 200, .body = "the report"};
  }};
  Origin hooks_{[this](const Request&) { return Response{.status = hook_status_}; }};
};

TEST_F(Callback, TellsWhoIsNamedInThePolicySigned) {
  SidecarProcess sidecar(Policy(upstream_.port(), hooks_.port(), secrets_));
  ASSERT_TRUE(sidecar.Start().ok());
  const absl::Time before = absl::Now();
  const Response accepted = sidecar.Call("POST", "http://orders/report", "{}");
  ASSERT_EQ(accepted.status, 202);
  ASSERT_TRUE(hooks_.WaitForRequests(1));
  const Request call = hooks_.requests()[0];
  EXPECT_EQ(call.method, "POST");
  EXPECT_EQ(call.target, "/done");
  EXPECT_EQ(call.Header("host"), "hooks");
  EXPECT_EQ(call.Header("content-type"), "application/json");
  EXPECT_TRUE(Verifies(call, kSecret));
  EXPECT_TRUE(Verifies(call, kOldSecret));
  EXPECT_FALSE(Verifies(call, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
  const int64_t timestamp = std::stoll(call.Header("webhook-timestamp").value_or("0"));
  EXPECT_GE(timestamp, absl::ToUnixSeconds(before));
  EXPECT_LE(timestamp, absl::ToUnixSeconds(absl::Now()));

  const Json status = AwaitAnnounced(sidecar, accepted);
  const Json body = BodyOf(call);
  EXPECT_EQ(body["type"], "operation.succeeded");
  EXPECT_EQ(body["timestamp"], status["finishedAt"]);
  for (const char* field :
       {"id", "status", "createdAt", "finishedAt", "attempts", "lastStatus", "error"}) {
    EXPECT_EQ(body[field], status[field]) << field;
  }
  EXPECT_EQ(body["status"], "succeeded");
  EXPECT_EQ(body["statusUrl"], ParseJson(accepted)["statusUrl"]);
  EXPECT_EQ(call.Header("webhook-id"), status["callback"]["id"]);
  EXPECT_EQ(status["callback"]["lastStatus"], 204);
  EXPECT_EQ(sidecar.Call("GET", body["resultUrl"]).body, "the report");
  const Json listed = ParseJson(
      sidecar.Admin("GET", "/.pillion/deliveries?kind=CALLBACK&route=orders/fixed"))["deliveries"];
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0]["id"], status["callback"]["id"]);
  EXPECT_EQ(listed[0]["topic"], "operation.succeeded");
}

TEST_F(Callback, TellsOfAFailure) {
  SidecarProcess sidecar(Policy(upstream_.port(), hooks_.port(), secrets_));
  ASSERT_TRUE(sidecar.Start().ok());
  ASSERT_EQ(sidecar.Call("POST", "http://orders/bad").status, 202);
  ASSERT_TRUE(hooks_.WaitForRequests(1));
  EXPECT_EQ(BodyOf(hooks_.requests()[0])["type"], "operation.failed");
  EXPECT_EQ(BodyOf(hooks_.requests()[0])["lastStatus"], 400);
}

TEST_F(Callback, IsTriedAgainUnderTheSameId) {
  hook_status_ = 503;
  SidecarProcess sidecar(Policy(upstream_.port(), hooks_.port(), secrets_));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/report");
  ASSERT_TRUE(hooks_.WaitForRequests(2));
  const Json waiting = sidecar.Status(accepted);
  EXPECT_EQ(waiting["status"], "succeeded") << "the operation's end does not wait for it";
  EXPECT_EQ(waiting["callback"]["lastStatus"], 503);
  hook_status_ = 204;
  const Json status = AwaitAnnounced(sidecar, accepted);
  const std::vector<Request> calls = hooks_.requests();
  ASSERT_GE(calls.size(), 2u);  // the second may hear the new answer already
  EXPECT_EQ(status["callback"]["attempts"], calls.size());
  for (const Request& call : calls) {
    EXPECT_EQ(call.Header("webhook-id"), status["callback"]["id"]);
    EXPECT_EQ(call.body, calls[0].body);
    EXPECT_TRUE(Verifies(call, kSecret));
  }
  EXPECT_EQ(calls.back().Header("pillion-attempt"), absl::StrCat(calls.size()));
}

TEST_F(Callback, OutlivesTheSidecar) {
  SidecarProcess sidecar(Policy(upstream_.port(), FreePort(), secrets_));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/report");
  EXPECT_EQ(sidecar.AwaitFinal(accepted)["status"], "succeeded");
  sidecar.Kill();
  ASSERT_TRUE(sidecar.WritePolicy(Policy(upstream_.port(), hooks_.port(), secrets_)).ok());
  ASSERT_TRUE(sidecar.Start().ok());
  ASSERT_TRUE(hooks_.WaitForRequests(1));
  EXPECT_EQ(BodyOf(hooks_.requests()[0])["id"], ParseJson(accepted)["id"]);
  EXPECT_EQ(upstream_.request_count(), 1u);
}

TEST_F(Callback, WhoseSecretsCannotBeReadIsWarnedOfWhenThePolicyIsLoaded) {
  SidecarProcess sidecar(Policy(upstream_.port(), hooks_.port(), directory_ / "later"));
  ASSERT_TRUE(sidecar.Start().ok());
  const std::string missing =
      absl::StrCat("the secret file ", directory_ / "later", ": No such file or directory; ");
  EXPECT_TRUE(absl::StrContains(sidecar.process().Output(), missing));
  const auto warnings = [&] { return ParseJson(sidecar.Admin("GET", "/config_dump"))["warnings"]; };
  ASSERT_EQ(warnings().size(), 1u) << "one file, however many callbacks";
  EXPECT_TRUE(absl::StartsWith(warnings()[0].get<std::string>(), missing)) << warnings();

  const std::string secret = "not a secret";
  ASSERT_TRUE(WriteFileAtomically(directory_ / "later", secret).ok());
  ASSERT_TRUE(sidecar
                  .EditPolicy(Policy(upstream_.port(), hooks_.port(), directory_ / "later",
                                     /*hanging_port=*/2))
                  .ok());
  ASSERT_EQ(warnings().size(), 1u);
  EXPECT_TRUE(absl::StrContains(warnings()[0].get<std::string>(), "line 1 is no secret"));
  EXPECT_FALSE(absl::StrContains(warnings()[0].get<std::string>(), secret));
}

TEST_F(Callback, GoesWhereTheCallerSaysIfThePolicyAllowsIt) {
  SidecarProcess sidecar(Policy(upstream_.port(), hooks_.port(), secrets_));
  ASSERT_TRUE(sidecar.Start().ok());
  ASSERT_EQ(sidecar
                .Call("POST", "http://orders/chosen", "",
                      {{"X-Callback", "HTTP://hooks.EXAMPLE:8080/orders//7/./x?token=a%20b"}})
                .status,
            202);
  ASSERT_TRUE(hooks_.WaitForRequests(1));
  const Request call = hooks_.requests()[0];
  EXPECT_EQ(call.target, "/orders/7/x?token=a%20b");
  EXPECT_EQ(call.Header("host"), "hooks.example:8080");
  EXPECT_TRUE(Verifies(call, kSecret));
  ASSERT_TRUE(upstream_.WaitForRequests(1));
  EXPECT_EQ(upstream_.requests()[0].Header("x-callback"), std::nullopt);
  // Without the header nobody is told.
  const Response quiet = sidecar.Call("POST", "http://orders/chosen");
  const Json status = sidecar.AwaitFinal(quiet);
  EXPECT_EQ(status["status"], "succeeded");
  EXPECT_FALSE(status.contains("callback"));
}

TEST_F(Callback, GoesNowhereElse) {
  SidecarProcess sidecar(Policy(upstream_.port(), hooks_.port(), secrets_));
  ASSERT_TRUE(sidecar.Start().ok());
  for (const char* url : {
           "http://hooks.example:8080/orders",
           "http://hooks.example:8080/ordersX",
           "http://hooks.example:8080/orders/../admin",
           "http://hooks.example:8080/orders/%2e%2e/admin",
           "http://hooks.example:8080/",
           "http://hooks.example/orders/7",
           "http://hooks.example:8081/orders/7",
           "http://hooks.example.evil:8080/orders/7",
           "http://169.254.169.254/latest/meta-data",
           "http://hooks.example:8080@evil/orders/7",
           "http://evil#@hooks.example:8080/orders/7",
           "http://evil\\@hooks.example:8080/orders/7",
           "https://hooks.example:8080/orders/7",
           "file:///etc/passwd",
           "/orders/7",
           "",
       }) {
    const Response refused =
        sidecar.Call("POST", "http://orders/chosen", "", {{"X-Callback", url}});
    EXPECT_EQ(refused.status, 400) << url;
    EXPECT_TRUE(absl::StrContains(refused.body, "X-Callback")) << refused.body;
  }
  const Response refused =
      sidecar.Call("POST", "http://orders/chosen", "", {{"X-Callback", "http://evil/"}});
  EXPECT_TRUE(absl::StrContains(refused.body, "http://Hooks.example:8080/orders/"))
      << "what to do about it is missing: " << refused.body;
  const Response twice = sidecar.Call(
      "POST", "http://orders/chosen", "",
      {{"X-Callback", "http://hooks.example:8080/orders/7"}, {"X-Callback", "http://evil/"}});
  EXPECT_EQ(twice.status, 400);
  EXPECT_EQ(ParseJson(sidecar.Admin("GET", "/.pillion/deliveries"))["deliveries"].size(), 0u);
  EXPECT_EQ(upstream_.request_count(), 0u);
}

TEST_F(Callback, GoesToAPrefixWithoutASlashAndBelowIt) {
  SidecarProcess sidecar(Policy(upstream_.port(), hooks_.port(), secrets_));
  ASSERT_TRUE(sidecar.Start().ok());
  const std::vector<std::pair<std::string, int>> calls = {
      {"http://hooks.example/done", 202},   {"http://hooks.example/done/", 202},
      {"http://hooks.example/done/7", 202}, {"http://hooks.example/done?id=7", 202},
      {"http://hooks.example/doneX", 400},  {"http://hanging.example", 202},
  };
  for (const auto& [url, status] : calls) {
    EXPECT_EQ(sidecar.Call("POST", "http://orders/either", "", {{"X-Callback", url}}).status,
              status)
        << url;
  }
}

TEST_F(Callback, ExpiresAlsoWhereItCannotBeSigned) {
  SidecarProcess sidecar(Policy(upstream_.port(), hooks_.port(), directory_ / "nowhere"));
  ASSERT_TRUE(sidecar.Start().ok());
  const Json status =
      sidecar.AwaitStatus(sidecar.Call("POST", "http://orders/brief"), [](const Json& status) {
        return status.contains("callback") && status["callback"]["status"] == "expired";
      });
  EXPECT_TRUE(status.is_object());
  EXPECT_EQ(hooks_.request_count(), 0u);
}

TEST_F(Callback, RefusesCallsWhileTooManyWait) {
  const std::string later = directory_ / "later";
  SidecarProcess sidecar(Policy(upstream_.port(), hooks_.port(), later));
  ASSERT_TRUE(sidecar.Start().ok());
  std::vector<Response> accepted;
  for (int i = 0; i < 2; ++i) {
    accepted.push_back(sidecar.Call("POST", "http://orders/few"));
    EXPECT_EQ(sidecar.AwaitFinal(accepted.back())["status"], "succeeded");
  }
  const Response refused = sidecar.Call("POST", "http://orders/few");
  EXPECT_EQ(refused.status, 429);
  EXPECT_TRUE(absl::StrContains(refused.body, "orders/few -> hooks")) << refused.body;
  ASSERT_TRUE(WriteFileAtomically(later, absl::StrCat(kSecret, "\n")).ok());
  for (const Response& call : accepted) EXPECT_TRUE(AwaitAnnounced(sidecar, call).is_object());
  EXPECT_EQ(sidecar.Call("POST", "http://orders/few").status, 202);
}

TEST_F(Callback, OfOneReceiverWaitsForNoOther) {
  Gate done;
  Origin hanging([&](const Request&) {
    done.Wait();
    return Response{.status = 204};
  });
  const Gate::AtEnd open(done);
  SidecarProcess sidecar(Policy(upstream_.port(), hooks_.port(), secrets_, hanging.port()));
  ASSERT_TRUE(sidecar.Start().ok());
  // More than are sent to one receiver at once.
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(
        sidecar
            .Call("POST", "http://orders/either", "", {{"X-Callback", "http://hanging.example/"}})
            .status,
        202);
  }
  ASSERT_TRUE(hanging.WaitForRequests(16));
  const Response accepted = sidecar.Call("POST", "http://orders/either", "",
                                         {{"X-Callback", "http://hooks.example/done"}});
  EXPECT_TRUE(AwaitAnnounced(sidecar, accepted).is_object());
  EXPECT_EQ(hanging.request_count(), 16u);
  const Json listed = ParseJson(sidecar.Admin(
      "GET", "/.pillion/deliveries?kind=CALLBACK&route=orders/either&cluster=hooks"))["deliveries"];
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0]["route"], "orders/either");
}

TEST_F(Callback, WaitsForItsSecretAndSaysSo) {
  const std::string later = directory_ / "later";
  SidecarProcess sidecar(Policy(upstream_.port(), hooks_.port(), later));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/report");
  const Json waiting = sidecar.AwaitStatus(accepted, [](const Json& status) {
    return status.contains("callback") && status["callback"]["error"].is_string();
  });
  ASSERT_TRUE(waiting.is_object());
  EXPECT_EQ(waiting["callback"]["status"], "pending");
  // Not with the path, which is no business of the caller's; the log has that.
  const std::string error = waiting["callback"]["error"];
  EXPECT_TRUE(absl::StrContains(error, "signed")) << error;
  EXPECT_FALSE(absl::StrContains(error, later)) << error;
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(sidecar.process().Output(),
                             "wait, as they cannot be signed: the secret file " + later);
  }));
  EXPECT_EQ(hooks_.request_count(), 0u);
  ASSERT_TRUE(WriteFileAtomically(later, absl::StrCat(kSecret, "\n")).ok());
  ASSERT_TRUE(hooks_.WaitForRequests(1));
  EXPECT_TRUE(Verifies(hooks_.requests()[0], kSecret));
}

}  // namespace
}  // namespace pillion::harness
