// `follow_status`: upstreams that themselves answer 202, and what they say of their progress.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/integration/delivery/gate.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/http_client.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

std::string Policy(const Origin& upstream) {
  return absl::Substitute(R"(
clusters:
- { name: jobs, endpoints: ["127.0.0.1:$0"] }
virtual_hosts:
- name: jobs
  domains: [jobs]
  routes:
  - match: { prefix: /plain }
    async: { cluster: jobs }
  - match: { prefix: /short }
    async: { cluster: jobs, follow_status: true, expires_after: 1s }
  - match: { prefix: /often }
    async:
      cluster: jobs
      follow_status: true
      retry_policy:
        num_retries: 2
        retry_back_off: { base_interval: 1ms, max_interval: 1ms }
  - match: { prefix: / }
    async:
      cluster: jobs
      follow_status: true
      retry_policy: { retry_back_off: { base_interval: 5ms, max_interval: 20ms } }
)",
                          upstream.port());
}

// An upstream that takes its time: POST is answered 202, its status as the test says.
class Jobs {
 public:
  using Handler = std::function<Response(const Request& request, int count)>;

  void OnPost(Response accepted) {
    Set("POST", [=](const Request&, int) { return accepted; });
  }
  // `count` is that of the requests for the path so far, from 1.
  void OnGet(const std::string& target, Handler handler) { Set("GET " + target, handler); }

  const Origin& origin() const { return origin_; }
  size_t Count(const std::string& what) const {
    size_t count = 0;
    for (const Request& request : origin_.requests()) {
      count += request.method == what || absl::StrCat(request.method, " ", request.target) == what;
    }
    return count;
  }
  Request First(const std::string& method) const {
    for (const Request& request : origin_.requests()) {
      if (request.method == method) return request;
    }
    return Request();
  }

 private:
  void Set(const std::string& what, Handler handler) {
    std::lock_guard lock(mutex_);
    handlers_[what] = std::move(handler);
  }
  Response Answer(const Request& request) {
    Handler handler;
    int count = 0;
    {
      std::lock_guard lock(mutex_);
      const std::string what = request.method == "POST" ? "POST" : "GET " + request.target;
      handler = handlers_[what];
      count = ++counts_[what];
    }
    return handler ? handler(request, count) : Response{.status = 404, .body = "no such job"};
  }

  std::mutex mutex_;
  std::map<std::string, Handler> handlers_;
  std::map<std::string, int> counts_;
  Origin origin_{[this](const Request& request) { return Answer(request); }};
};

Response Working(int percent = -1) {
  return Response{.status = 202,
                  .body = percent < 0 ? "" : absl::StrCat("{\"percentComplete\": ", percent, "}")};
}

TEST(FollowStatus, EndsWithTheResultThatTheStatusRedirectsTo) {
  Jobs jobs;
  Gate done;
  const Gate::AtEnd open(done);
  std::atomic<bool> finished = false;
  jobs.OnPost(Response{.status = 202, .headers = {{"Location", "/jobs/7?full=1"}}});
  jobs.OnGet("/jobs/7?full=1", [&](const Request&, int) {
    if (!finished) return Working(40);
    return Response{.status = 303, .headers = {{"Location", "http://elsewhere/jobs/7/result"}}};
  });
  jobs.OnGet("/jobs/7/result", [](const Request&, int) {
    return Response{.status = 201, .headers = {{"X-Pages", "12"}}, .body = "the report"};
  });
  SidecarProcess sidecar(Policy(jobs.origin()));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted =
      sidecar.Call("POST", "http://jobs/reports", "{}",
                   {{"Authorization", "Bearer me"}, {"Content-Type", "application/json"}});
  ASSERT_EQ(accepted.status, 202);
  const Json working = sidecar.AwaitStatus(
      accepted, [](const Json& status) { return status.contains("percentComplete"); });
  ASSERT_TRUE(working.is_object());
  EXPECT_EQ(working["percentComplete"], 40);
  EXPECT_EQ(working["status"], "running");
  EXPECT_EQ(sidecar.Call("GET", *accepted.Header("location") + "/result").status, 409);
  finished = true;
  const Json status = sidecar.AwaitFinal(accepted);
  EXPECT_EQ(status["status"], "succeeded");
  EXPECT_EQ(status["percentComplete"], 100);
  EXPECT_EQ(status["attempts"], 1);
  EXPECT_EQ(status["error"], nullptr);
  const Response result = sidecar.Call("GET", *accepted.Header("location") + "/result");
  EXPECT_EQ(result.status, 201);
  EXPECT_EQ(result.Header("x-pages"), "12");
  EXPECT_EQ(result.body, "the report");
  EXPECT_EQ(jobs.Count("POST"), 1u);
  EXPECT_EQ(jobs.Count("GET /jobs/7/result"), 1u);
  const Request poll = jobs.First("GET");
  EXPECT_EQ(poll.Header("authorization"), "Bearer me");
  EXPECT_EQ(poll.Header("host"), "jobs");
  EXPECT_EQ(poll.Header("content-type"), std::nullopt);
  EXPECT_EQ(poll.body, "");
}

TEST(FollowStatus, UnderstandsAnotherPillion) {
  Jobs jobs;
  jobs.OnPost(Response{
      .status = 202,
      .body = R"({"id":"7","status":"pending","statusUrl":"http://jobs/.pillion/operations/7"})"});
  jobs.OnGet("/.pillion/operations/7", [](const Request&, int count) {
    return Response{
        .body = absl::StrCat(R"({"id":"7","resultUrl":"http://jobs/.pillion/operations/7/result",)",
                             R"("status":")", count < 3 ? "running" : "succeeded", "\"}")};
  });
  jobs.OnGet("/.pillion/operations/7/result",
             [](const Request&, int) { return Response{.body = "the report"}; });
  SidecarProcess sidecar(Policy(jobs.origin()));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://jobs/reports");
  EXPECT_EQ(sidecar.AwaitFinal(accepted)["status"], "succeeded");
  EXPECT_EQ(sidecar.Call("GET", *accepted.Header("location") + "/result").body, "the report");
}

TEST(FollowStatus, FailsAsTheWorkDoes) {
  Jobs jobs;
  jobs.OnPost(Response{.status = 202, .headers = {{"Location", "jobs/7"}}});
  jobs.OnGet("/jobs/7", [](const Request&, int) {
    return Response{.body = R"({"status": "failed", "why": "out of paper"})"};
  });
  SidecarProcess sidecar(Policy(jobs.origin()));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://jobs/reports");
  const Json status = sidecar.AwaitFinal(accepted);
  EXPECT_EQ(status["status"], "failed");
  EXPECT_TRUE(absl::StrContains(status["error"].get<std::string>(), "/jobs/7")) << status;
  const Response result = sidecar.Call("GET", *accepted.Header("location") + "/result");
  EXPECT_TRUE(absl::StrContains(result.body, "out of paper"));
  // A status that is gone is an end, too.
  jobs.OnPost(Response{.status = 202, .headers = {{"Location", "/jobs/gone"}}});
  EXPECT_EQ(sidecar.AwaitFinal(sidecar.Call("POST", "http://jobs/reports"))["status"], "failed");
}

TEST(FollowStatus, BearsWithAStatusThatCannotBeHadForAWhile) {
  Jobs jobs;
  jobs.OnPost(Response{.status = 202, .headers = {{"Location", "/jobs/7"}}});
  jobs.OnGet("/jobs/7", [](const Request&, int count) {
    return count < 30 ? Response{.status = 503} : Response{.body = "the report"};
  });
  SidecarProcess sidecar(Policy(jobs.origin()));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://jobs/reports");
  const Json status = sidecar.AwaitFinal(accepted);
  EXPECT_EQ(status["status"], "succeeded");
  EXPECT_EQ(status["attempts"], 1);
  EXPECT_EQ(jobs.Count("POST"), 1u);
}

TEST(FollowStatus, AsksAgainForAResultThatCannotBeHadNow) {
  Jobs jobs;
  jobs.OnPost(Response{.status = 202, .headers = {{"Location", "/jobs/7"}}});
  jobs.OnGet("/jobs/7", [](const Request&, int) {
    return Response{.status = 303, .headers = {{"Location", "/jobs/7/result"}}};
  });
  jobs.OnGet("/jobs/7/result", [](const Request&, int count) {
    constexpr int kNotNow[] = {503, 429, 202, 408};
    if (count <= 4) return Response{.status = kNotNow[count - 1], .body = "not now"};
    return Response{.body = "the report"};
  });
  SidecarProcess sidecar(Policy(jobs.origin()));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://jobs/reports");
  EXPECT_EQ(sidecar.AwaitFinal(accepted)["status"], "succeeded");
  EXPECT_EQ(sidecar.Call("GET", *accepted.Header("location") + "/result").body, "the report");
  EXPECT_EQ(jobs.Count("GET /jobs/7/result"), 5u);
  EXPECT_EQ(jobs.Count("POST"), 1u);
}

TEST(FollowStatus, TakesAnErrorThatStaysForTheResult) {
  Jobs jobs;
  jobs.OnPost(Response{.status = 202, .headers = {{"Location", "/jobs/7"}}});
  jobs.OnGet("/jobs/7", [](const Request&, int) {
    return Response{.status = 303, .headers = {{"Location", "/jobs/7/result"}}};
  });
  jobs.OnGet("/jobs/7/result",
             [](const Request&, int) { return Response{.status = 500, .body = "out of paper"}; });
  SidecarProcess sidecar(Policy(jobs.origin()));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://jobs/often");
  EXPECT_EQ(sidecar.AwaitFinal(accepted)["status"], "failed");
  EXPECT_EQ(sidecar.Call("GET", *accepted.Header("location") + "/result").body, "out of paper");
  EXPECT_EQ(jobs.Count("GET /jobs/7/result"), 3u);
}

TEST(FollowStatus, GoesOnAfterTheSidecarWasKilled) {
  Jobs jobs;
  std::atomic<bool> finished = false;
  jobs.OnPost(Response{.status = 202, .headers = {{"Location", "/jobs/7"}}});
  jobs.OnGet("/jobs/7", [&](const Request&, int) {
    return finished ? Response{.body = "the report"} : Working(10);
  });
  SidecarProcess sidecar(Policy(jobs.origin()));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://jobs/reports");
  ASSERT_TRUE(
      sidecar.AwaitStatus(accepted, [](const Json& s) { return s.contains("percentComplete"); })
          .is_object());
  sidecar.Kill();
  const size_t before = jobs.Count("GET /jobs/7");
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_TRUE(Eventually([&] { return jobs.Count("GET /jobs/7") > before; }));
  finished = true;
  EXPECT_EQ(sidecar.AwaitFinal(accepted)["status"], "succeeded");
  EXPECT_EQ(jobs.Count("POST"), 1u);
}

TEST(FollowStatus, AsksWhenTheUpstreamWantsToBeAsked) {
  Jobs jobs;
  std::mutex mutex;
  std::vector<absl::Time> asked;
  jobs.OnPost(Response{.status = 202, .headers = {{"Location", "/jobs/7"}}});
  jobs.OnGet("/jobs/7", [&](const Request&, int count) {
    std::lock_guard lock(mutex);
    asked.push_back(absl::Now());
    if (count == 2) return Response{.body = "the report"};
    return Response{.status = 202, .headers = {{"Retry-After", "1"}}};
  });
  SidecarProcess sidecar(Policy(jobs.origin()));
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.AwaitFinal(sidecar.Call("POST", "http://jobs/reports"))["status"], "succeeded");
  std::lock_guard lock(mutex);
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_GE(asked[1] - asked[0], absl::Milliseconds(990));
}

TEST(FollowStatus, GivesUpWhenTheOperationExpires) {
  Jobs jobs;
  jobs.OnPost(Response{.status = 202, .headers = {{"Location", "/jobs/7"}}});
  jobs.OnGet("/jobs/7", [](const Request&, int) { return Working(); });
  SidecarProcess sidecar(Policy(jobs.origin()));
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.AwaitFinal(sidecar.Call("POST", "http://jobs/short"))["status"], "expired");
}

TEST(FollowStatus, IsForRoutesThatSaySoAndAnswersThatSayWhere) {
  Jobs jobs;
  jobs.OnPost(Response{.status = 202, .headers = {{"Location", "/jobs/7"}}, .body = "later"});
  SidecarProcess sidecar(Policy(jobs.origin()));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response plain = sidecar.Call("POST", "http://jobs/plain");
  EXPECT_EQ(sidecar.AwaitFinal(plain)["status"], "succeeded");
  EXPECT_EQ(sidecar.Call("GET", *plain.Header("location") + "/result").body, "later");
  jobs.OnPost(Response{.status = 202, .body = "some day"});
  const Response nowhere = sidecar.Call("POST", "http://jobs/reports");
  EXPECT_EQ(sidecar.AwaitFinal(nowhere)["status"], "succeeded");
  EXPECT_EQ(sidecar.Call("GET", *nowhere.Header("location") + "/result").body, "some day");
  EXPECT_EQ(jobs.Count("GET /jobs/7"), 0u);
}

// The authority and the path of an operation's URL, as the upstream was told it.
std::pair<int, std::string> PortAndPath(const std::string& url) {
  const size_t colon = url.rfind(':');
  const size_t slash = url.find('/', colon);
  return {std::stoi(url.substr(colon + 1)), url.substr(slash)};
}

Response Patch(const std::string& url, const std::string& body) {
  const auto [port, path] = PortAndPath(url);
  HttpClient client(port);
  Request request;
  request.method = "PATCH";
  request.target = path;
  request.headers = {{"Content-Type", "application/json"}};
  request.body = body;
  return client.Send(std::move(request)).value_or(Response{.status = 0});
}

void ReportProgress(const std::string& listeners, bool inbound) {
  Gate done;
  Origin upstream([&](const Request&) {
    done.Wait();
    return Response{.body = "the report"};
  });
  const Gate::AtEnd open(done);
  SidecarProcess sidecar(Policy(upstream), "", {.listeners = listeners});
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://jobs/reports", "",
                                         {{"Pillion-Operation-Url", "http://elsewhere/"}});
  ASSERT_TRUE(upstream.WaitForRequests(1));
  const std::string url = upstream.requests()[0].Header("pillion-operation-url").value_or("");
  ASSERT_TRUE(absl::StartsWith(url, "http://127.0.0.1:")) << url;
  EXPECT_TRUE(absl::EndsWith(url, *accepted.Header("location"))) << url;
  EXPECT_EQ(PortAndPath(url).first == sidecar.port(), !inbound);
  EXPECT_EQ(Patch(url, R"({"percentComplete": 40})").status, 204);
  EXPECT_EQ(sidecar.Status(accepted)["percentComplete"], 40);
  EXPECT_EQ(sidecar.Status(accepted)["status"], "running");
  EXPECT_EQ(Patch(url, "nearly done").status, 400);
  EXPECT_EQ(Patch(url, std::string(5000, ' ')).status, 413);
  EXPECT_EQ(Patch(url.substr(0, url.rfind('/')) + "/01ARZ3NDEKTSV4RRFFQ69G5FAV",
                  R"({"percentComplete": 40})")
                .status,
            404);
  done.Open();
  EXPECT_EQ(sidecar.AwaitFinal(accepted)["percentComplete"], 100);
  EXPECT_EQ(Patch(url, R"({"percentComplete": 50})").status, 409);
  // What else comes in there is for the local service.
  if (inbound) {
    EXPECT_EQ(HttpClient(PortAndPath(url).first).Get(PortAndPath(url).second)->body, "the app");
  }
}

TEST(Progress, IsReportedToTheUrlThatTheUpstreamIsTold) { ReportProgress("", false); }

TEST(Progress, IsReportedToTheInboundListenerWhereThereIsOne) {
  Origin app([](const Request&) { return Response{.body = "the app"}; });
  ReportProgress(
      absl::StrCat("- { name: inbound, address: 127.0.0.1:0, direction: INBOUND, app: 127.0.0.1:",
                   app.port(), " }\n"),
      true);
}

TEST(Progress, LeadsWhereTheBootstrapSays) {
  Origin upstream([](const Request&) { return Response(); });
  SidecarProcess sidecar(Policy(upstream), "", {.node = ", address: web-1.example:15006"});
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://jobs/reports");
  ASSERT_TRUE(upstream.WaitForRequests(1));
  EXPECT_EQ(upstream.requests()[0].Header("pillion-operation-url"),
            absl::StrCat("http://web-1.example:15006", *accepted.Header("location")));
}

}  // namespace
}  // namespace pillion::harness
