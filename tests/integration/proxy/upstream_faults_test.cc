// Upstreams that misbehave: the caller hears so at once and in the right words, and nobody else
// notices.

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/integration/harness/deadline.h"
#include "tests/integration/harness/http_client.h"
#include "tests/integration/harness/origin.h"
#include "tests/integration/proxy/test_sidecar.h"

namespace pillion::proxy_test {
namespace {

using harness::Connection;
using harness::HttpClient;
using harness::Origin;
using harness::Request;
using harness::Response;

constexpr auto kPrompt = std::chrono::seconds(kSanitized ? 20 : 8);

// Reads a request and answers with bytes as they are; `end` says what follows.
enum class Then { kClose, kStay };
Origin::RawHandler Say(std::string bytes, Then then = Then::kClose) {
  return [=](Connection& connection) {
    if (!connection.ReadThrough("\r\n\r\n").ok() || !connection.Send(bytes).ok()) return;
    if (then == Then::kStay) (void)connection.ReadToEnd(std::chrono::hours(1));
  };
}

Origin::RawHandler Endless(std::string first, std::string again) {
  return [=](Connection& connection) {
    if (!connection.ReadThrough("\r\n\r\n").ok() || !connection.Send(first).ok()) return;
    while (connection.Send(again).ok()) {
    }
  };
}

struct Fault {
  std::string name;
  Origin::RawHandler upstream;  // null: nobody listens
  int status;                   // of a problem document; 200: the body is broken off
  std::string flag;
};

const Fault kFaults[] = {
    {"refuses", nullptr, 503, "UF"},
    {"hangs", harness::origin::Hang(), 504, "UT"},
    {"closes-without-answer", harness::origin::CloseWithoutAnswer(), 503, "UC"},
    {"resets-without-answer", harness::origin::ResetWithoutAnswer(), 503, "UC"},
    {"closes-within-the-head", Say("HTTP/1.1 200 OK\r\nContent-Le"), 503, "UC"},
    {"closes-within-a-measured-body", harness::origin::CloseMidAnswer(1000, 100), 200, "UC"},
    {"closes-within-chunks",
     Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), 200, "UC"},
    {"closes-before-the-last-chunk-ends",
     Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"), 200, "UC"},
    {"hangs-within-the-body", Say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", Then::kStay),
     200, "UT"},
    {"sends-garbage", harness::origin::Garbage(), 502, "UPE"},
    {"sends-an-endless-head", harness::origin::EndlessHeader(), 502, "UPE"},
    {"sends-an-endless-line", Endless("HTTP/1.1 200 OK\r\nX: ", std::string(1000, 'x')), 502,
     "UPE"},
    {"sends-endless-100s", Endless("", "HTTP/1.1 100 Continue\r\n\r\n"), 502, "UPE"},
    {"sends-endless-hints", Endless("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), 502,
     "UPE"},
    {"sends-a-bad-chunk-first",
     Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
         Then::kStay),
     502, "UPE"},
    {"sends-a-bad-chunk-later",
     Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n", Then::kStay),
     200, "UPE"},
    {"switches-protocols-unasked",
     Say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
         Then::kStay),
     502, "UPE"},
    {"frames-ambiguously",
     Say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         Then::kStay),
     502, "UPE"},
};

class UpstreamFaults : public testing::Test {
 protected:
  UpstreamFaults() : healthy_([](const Request&) { return Response{.body = "fine"}; }) {
    std::string clusters = "clusters:\n";
    std::string routes =
        "virtual_hosts:\n- name: orders\n  domains: [orders]\n  routes:\n"
        "  - { match: { path: /healthy }, route: { cluster: healthy } }\n";
    auto add = [&](const std::string& name, int port) {
      absl::StrAppend(&clusters, "- { name: ", name, ", endpoints: [\"127.0.0.1:", port, "\"] }\n");
    };
    add("healthy", healthy_.port());
    for (const Fault& fault : kFaults) {
      int port = harness::FreePort();
      if (fault.upstream) {
        auto origin = std::make_unique<Origin>(fault.upstream);
        port = origin->port();
        faulty_[fault.name] = std::move(origin);
      }
      add(fault.name, port);
      // Only what hangs is to wait for its timeout.
      const char* const timeout = fault.flag == "UT" ? "500ms" : "60s";
      absl::StrAppend(&routes, "  - { match: { path: /", fault.name,
                      " }, route: { cluster: ", fault.name, ", timeout: ", timeout, " } }\n");
    }
    sidecar_ = std::make_unique<TestSidecar>(clusters + routes);
  }

  Origin healthy_;
  std::map<std::string, std::unique_ptr<Origin>> faulty_;
  std::unique_ptr<TestSidecar> sidecar_;
};

TEST_F(UpstreamFaults, AreToldPromptlyAndHurtNobodyElse) {
  const int port = sidecar_->port();
  std::atomic<bool> stop{false};
  int served = 0;
  std::string healthy_mistake;
  // Call after call, but no more than the access log, which drops lines sooner than it makes a call
  // wait, can always keep up with.
  std::thread others([&] {
    HttpClient client(port);
    auto call = [&] {
      const auto response =
          client.Send({.target = "http://orders/healthy"}, harness::Deadline(kPrompt));
      if (!response.ok()) {
        healthy_mistake = response.status().ToString();
      } else if (response->body != "fine") {
        healthy_mistake = response->body;
      }
      ++served;
      return stop || !healthy_mistake.empty();
    };
    EXPECT_TRUE(harness::Eventually(call, std::chrono::hours(1)));
  });

  for (const Fault& fault : kFaults) {
    SCOPED_TRACE(fault.name);
    const std::string target = absl::StrCat("/", fault.name);
    const auto begun = std::chrono::steady_clock::now();
    const auto response =
        HttpClient(port).Send({.target = target, .headers = {{"Host", "orders"}}});
    EXPECT_LT(std::chrono::steady_clock::now() - begun, kPrompt);
    if (fault.status == 200) {
      EXPECT_FALSE(response.ok()) << "a part passed for the whole: " << response->body;
      EXPECT_FALSE(absl::IsDeadlineExceeded(response.status())) << response.status();
    } else if (!response.ok()) {
      ADD_FAILURE() << response.status();
    } else {
      EXPECT_EQ(response->status, fault.status) << response->body;
      EXPECT_EQ(response->Header("pillion-flag").value_or(""), fault.flag) << response->body;
      EXPECT_EQ(response->Header("content-type").value_or(""), "application/problem+json");
      EXPECT_NE(response->body.find(fault.name), std::string::npos)
          << "the cluster is not named: " << response->body;
    }
    nlohmann::json line = sidecar_->AccessLine(target);
    EXPECT_EQ(line["response_flags"], fault.flag) << line;
    EXPECT_EQ(line["response_code"], fault.status) << line;
    EXPECT_EQ(line["upstream_cluster"], fault.name) << line;
  }
  stop = true;
  others.join();
  EXPECT_EQ(healthy_mistake, "");
  EXPECT_GT(served, 0);
  EXPECT_EQ(sidecar_->Stop(), harness::ExitStatus::Code(0)) << sidecar_->process().Output();
}

}  // namespace
}  // namespace pillion::proxy_test
