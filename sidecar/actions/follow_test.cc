#include "sidecar/actions/follow.h"

#include <gtest/gtest.h>

#include <string>

#include "sidecar/delivery/fields.h"

namespace pillion::sidecar {
namespace {

delivery::Answer AnswerOf(int status, std::string body, std::string location = "") {
  delivery::Answer answer;
  answer.status = status;
  answer.body = std::move(body);
  delivery::AppendField(answer.headers, "Content-Type", "application/json");
  if (!location.empty()) delivery::AppendField(answer.headers, "Location", location);
  return answer;
}

TEST(ResolvePath, LeadsToAPathAtTheSameCluster) {
  EXPECT_EQ(ResolvePath("/jobs?x=1", "/status/7"), "/status/7");
  EXPECT_EQ(ResolvePath("/jobs", "/status/7?full=1#top"), "/status/7?full=1");
  EXPECT_EQ(ResolvePath("/jobs/new?x=1", "7"), "/jobs/7");
  EXPECT_EQ(ResolvePath("/jobs/new", "../status/7"), "/status/7");
  EXPECT_EQ(ResolvePath("/jobs/new", "?id=7"), "/jobs/new?id=7");
  EXPECT_EQ(ResolvePath("/jobs", "http://elsewhere:81/status/7?a"), "/status/7?a");
  EXPECT_EQ(ResolvePath("/jobs", "HTTPS://elsewhere"), "/");
  EXPECT_EQ(ResolvePath("/jobs", "http://elsewhere?id=7"), "/?id=7");
  EXPECT_EQ(ResolvePath("/jobs", "//elsewhere/status//7"), "/status/7");
  EXPECT_EQ(ResolvePath("/jobs", "status:7/8"), "");
  for (const char* none : {"ftp://elsewhere/a", "mailto:me", "http:a", "/a\r\nb", "/a b", "/a%2fb",
                           "/a\\b", "/a?b c", "/a?\x01"}) {
    EXPECT_EQ(ResolvePath("/jobs", none), "") << none;
  }
}

TEST(FollowedStatus, ComesBackAsItWasStored) {
  const FollowedStatus back = DecodeFollowedStatus(Encode({12, "/status/7?a=b c", 3}));
  EXPECT_EQ(back.polls, 12);
  EXPECT_EQ(back.failed_results, 3);
  EXPECT_EQ(back.path, "/status/7?a=b c");
  EXPECT_EQ(DecodeFollowedStatus("\xff\xff").path, "/");
}

TEST(UpstreamStatus, IsWhereThe202SaysItIs) {
  EXPECT_EQ(StatusPathOf(AnswerOf(202, "", "/status/7"), "/jobs"), "/status/7");
  EXPECT_EQ(StatusPathOf(AnswerOf(202, R"({"statusUrl": "http://jobs/status/7"})"), "/jobs"),
            "/status/7");
  EXPECT_EQ(StatusPathOf(AnswerOf(202, R"({"statusUrl": "/b"})", "/a"), "/jobs"), "/a");
  for (const char* body :
       {"", "accepted", "[1]", "{", R"({"statusUrl": 7})", R"({"status": "x"})"}) {
    EXPECT_EQ(StatusPathOf(AnswerOf(202, body), "/jobs"), "") << body;
  }
}

TEST(UpstreamStatus, IsWorkingUntilItSaysOtherwise) {
  for (const auto& answer :
       {AnswerOf(202, ""), AnswerOf(200, R"({"status": "pending"})"),
        AnswerOf(200, R"({"status": "Running"})"), AnswerOf(503, ""), AnswerOf(429, "")}) {
    EXPECT_EQ(ReadUpstreamStatus(answer, "/s").kind, UpstreamStatus::kWorking) << answer.status;
  }
  EXPECT_EQ(
      ReadUpstreamStatus(AnswerOf(202, R"({"percentComplete": 41.9})"), "/s").percent_complete, 41);
  EXPECT_EQ(ReadUpstreamStatus(AnswerOf(200, R"({"status":"running","percentComplete":100})"), "/s")
                .percent_complete,
            100);
  for (const char* body : {R"({"percentComplete": -1})", R"({"percentComplete": 101})",
                           R"({"percentComplete": "40"})", R"({"percentComplete": 1e999})"}) {
    EXPECT_EQ(ReadUpstreamStatus(AnswerOf(202, body), "/s").percent_complete, std::nullopt) << body;
  }
}

TEST(UpstreamStatus, EndsWithAResultWhereverThatIs) {
  UpstreamStatus status = ReadUpstreamStatus(AnswerOf(303, "", "/results/7"), "/status/7");
  EXPECT_EQ(status.kind, UpstreamStatus::kSucceeded);
  EXPECT_EQ(status.result_path, "/results/7");
  status = ReadUpstreamStatus(
      AnswerOf(200, R"({"status": "succeeded", "resultUrl": "http://jobs/status/7/result"})"),
      "/status/7");
  EXPECT_EQ(status.kind, UpstreamStatus::kSucceeded);
  EXPECT_EQ(status.result_path, "/status/7/result");
  for (const char* body :
       {R"({"status": "succeeded"})", R"({"status": "shipped"})", "plain", "{}"}) {
    status = ReadUpstreamStatus(AnswerOf(200, body), "/status/7");
    EXPECT_EQ(status.kind, UpstreamStatus::kSucceeded) << body;
    EXPECT_EQ(status.result_path, "") << body;
  }
  EXPECT_EQ(ReadUpstreamStatus(AnswerOf(303, ""), "/status/7").result_path, "");
}

TEST(UpstreamStatus, EndsAsAFailureThatItTellsOrThatIsPlain) {
  for (const char* word : {"failed", "canceled", "Cancelled", "expired"}) {
    const UpstreamStatus status = ReadUpstreamStatus(
        AnswerOf(200, std::string(R"({"resultUrl": "/r", "status": ")") + word + "\"}"), "/s");
    EXPECT_EQ(status.kind, UpstreamStatus::kFailed) << word;
    EXPECT_EQ(status.result_path, "/r");
  }
  EXPECT_EQ(ReadUpstreamStatus(AnswerOf(404, ""), "/s").kind, UpstreamStatus::kFailed);
  EXPECT_EQ(ReadUpstreamStatus(AnswerOf(410, ""), "/s").kind, UpstreamStatus::kFailed);
}

TEST(Progress, IsANumberFrom0To100) {
  EXPECT_EQ(ParseProgress(R"({"percentComplete": 0})").value(), 0);
  EXPECT_EQ(ParseProgress(R"({"percentComplete": 99.9, "step": "print"})").value(), 99);
  EXPECT_EQ(ParseProgress(R"({"percentComplete": 100})").value(), 100);
  for (const char* body : {"", "40", "{}", "[]", R"({"percentComplete": 101})",
                           R"({"percentComplete": null})", "{\"percentComplete\": 40"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseProgress(body).status())) << body;
  }
}

}  // namespace
}  // namespace pillion::sidecar
