// Bodies far larger than any buffer, both ways: they arrive as they are, and the sidecar does not
// grow.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/integration/harness/checksum.h"
#include "tests/integration/harness/http_client.h"
#include "tests/integration/harness/origin.h"
#include "tests/integration/proxy/test_sidecar.h"

namespace pillion::proxy_test {
namespace {

using harness::BodySource;

using harness::HttpClient;
using harness::Origin;
using harness::Request;
using harness::Response;

constexpr uint64_t kMegabyte = 1024 * 1024;
constexpr uint64_t kSize = kSanitized ? 32 * kMegabyte : 1024 * kMegabyte;
constexpr uint64_t kGrowth = 8 * kMegabyte;
constexpr auto kPatience = std::chrono::minutes(4);

// `size` bytes in which every piece differs from the others, at the speed of memory.
BodySource Body(uint64_t size) {
  std::string piece = harness::RandomBody(64 * 1024, 7)();
  return [piece = std::move(piece), size, count = uint64_t{0}]() mutable {
    if (size == 0) return std::string();
    std::string next = piece.substr(0, std::min<uint64_t>(size, piece.size()));
    size -= next.size();
    const std::string mark = absl::StrCat(++count);
    std::copy_n(mark.begin(), std::min(mark.size(), next.size()), next.begin());
    return next;
  };
}

// A sum over 8 bytes at a time that depends on their order: a byte-wise one costs more than the
// transfer.
class Sum {
 public:
  void Add(std::string_view bytes) {
    size_ += bytes.size();
    for (; !bytes.empty() && held_ != 0; bytes.remove_prefix(1)) Take(bytes[0]);
    uint64_t word = 0;
    for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
      std::copy_n(bytes.data(), 8, reinterpret_cast<char*>(&word));
      Mix(word);
    }
    for (char byte : bytes) Take(byte);
  }
  bool operator==(const Sum&) const = default;
  uint64_t size() const { return size_; }

 private:
  void Take(char byte) {
    word_ |= uint64_t{static_cast<unsigned char>(byte)} << (8 * held_);
    held_ = (held_ + 1) % 8;
    if (held_ != 0) return;
    Mix(word_);
    word_ = 0;
  }
  void Mix(uint64_t word) { value_ = (value_ ^ word) * 0x9e3779b97f4a7c15u + 1; }

  uint64_t value_ = 0;
  uint64_t word_ = 0;  // the last bytes, fewer than eight
  uint64_t held_ = 0;  // how many
  uint64_t size_ = 0;
};

Sum Expected(uint64_t size) {
  Sum sum;
  const BodySource source = Body(size);
  for (std::string piece = source(); !piece.empty(); piece = source()) sum.Add(piece);
  return sum;
}

enum class Framing { kLength, kChunked };

class LargeBodies : public testing::TestWithParam<Framing> {
 protected:
  harness::Headers FramingHeaders() const {
    if (GetParam() == Framing::kChunked) return {};
    return {{"Content-Length", absl::StrCat(kSize)}};
  }

  // What the sidecar holds beyond `before`, looked at as the body passes.
  void Watch(uint64_t before, uint64_t passed) {
    if (kSanitized || passed / (64 * kMegabyte) == looked_) return;
    looked_ = passed / (64 * kMegabyte);
    const auto now = harness::ResidentBytes(sidecar_.process().pid());
    if (now.ok() && *now > before) growth_ = std::max(growth_, *now - before);
  }

  std::mutex mutex_;
  Sum received_;  // by the upstream
  Origin orders_{[this](const Request& request) {
                   if (request.method != "GET") return Response{};
                   return Response{.headers = FramingHeaders(), .body_source = Body(kSize)};
                 },
                 [this](const Request&, std::string_view piece) {
                   std::lock_guard lock(mutex_);
                   received_.Add(piece);
                 }};
  TestSidecar sidecar_{ForwardTo(orders_.port(), ", timeout: 0s")};
  HttpClient client_{sidecar_.port()};
  uint64_t looked_ = 0;
  uint64_t growth_ = 0;
};

TEST_P(LargeBodies, ReachTheUpstream) {
  ASSERT_EQ(client_.Post("http://orders/", "warm up")->status, 200);
  received_ = Sum();
  const uint64_t before = harness::ResidentBytes(sidecar_.process().pid()).value_or(0);
  uint64_t sent = 0;
  auto source = [&, body = Body(kSize)] {
    std::string piece = body();
    sent += piece.size();
    Watch(before, sent);
    return piece;
  };
  const auto response = client_.Send({.method = "POST",
                                      .target = "http://orders/",
                                      .headers = FramingHeaders(),
                                      .body_source = source},
                                     kPatience);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 200) << response->body;
  EXPECT_EQ(received_.size(), kSize);
  EXPECT_TRUE(received_ == Expected(kSize)) << "the bytes are not those that were sent";
  EXPECT_LT(growth_, kGrowth);
}

TEST_P(LargeBodies, ReachTheCaller) {
  ASSERT_EQ(client_.Post("http://orders/", "warm up")->status, 200);
  const uint64_t before = harness::ResidentBytes(sidecar_.process().pid()).value_or(0);
  Sum got;
  const auto response =
      client_.Send({.target = "http://orders/"}, kPatience, [&](std::string_view piece) {
        got.Add(piece);
        Watch(before, got.size());
        return true;
      });
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(got.size(), kSize);
  EXPECT_TRUE(got == Expected(kSize)) << "the bytes are not those that were sent";
  EXPECT_LT(growth_, kGrowth);
}

INSTANTIATE_TEST_SUITE_P(Framings, LargeBodies,
                         testing::Values(Framing::kLength, Framing::kChunked),
                         [](const auto& info) {
                           return info.param == Framing::kLength ? "ContentLength" : "Chunked";
                         });

// A caller that does not read holds up its upstream, not the sidecar's memory.
TEST(SlowCallers, DoNotMakeTheSidecarGrow) {
  std::atomic<uint64_t> sent{0};
  Origin orders([&](const Request&) {
    return Response{.body_source = [&, body = Body(256 * kMegabyte)] {
      std::string piece = body();
      sent += piece.size();
      return piece;
    }};
  });
  TestSidecar sidecar(ForwardTo(orders.port(), ", timeout: 0s"));
  const uint64_t before = harness::ResidentBytes(sidecar.process().pid()).value_or(0);
  auto connection = harness::Connection::Connect(sidecar.port());
  ASSERT_TRUE(connection.ok()) << connection.status();
  ASSERT_TRUE(connection->Send("GET / HTTP/1.1\r\nHost: orders\r\n\r\n").ok());
  // The upstream stalls once all buffers are full.
  uint64_t seen = 0;
  auto changed = std::chrono::steady_clock::now();
  EXPECT_TRUE(harness::Eventually([&] {
    const auto now = std::chrono::steady_clock::now();
    if (std::exchange(seen, sent.load()) != seen) changed = now;
    return seen > 0 && now - changed > std::chrono::milliseconds(500);
  }));
  EXPECT_LT(sent, 64 * kMegabyte);
  if (!kSanitized) {
    EXPECT_LT(harness::ResidentBytes(sidecar.process().pid()).value_or(0), before + kGrowth);
  }
  connection->Close();
}

// However little is in each of them.
TEST(BytesThatNobodyReads, DoNotMakeTheSidecarGrow) {
  std::promise<void> answer;
  Origin orders([done = answer.get_future().share()](const Request&) {
    done.wait();
    return Response{.body = "late"};
  });
  TestSidecar sidecar(ForwardTo(orders.port(), ", timeout: 0s"));
  auto connection = harness::Connection::Connect(sidecar.port());
  ASSERT_TRUE(connection.ok()) << connection.status();
  ASSERT_TRUE(connection->Send("GET / HTTP/1.1\r\nHost: orders\r\n\r\n").ok());
  ASSERT_TRUE(orders.WaitForRequests(1));
  const uint64_t before = harness::ResidentBytes(sidecar.process().pid()).value_or(0);
  for (int i = 0; i < 20'000; ++i) ASSERT_TRUE(connection->Send("x").ok());
  if (!kSanitized) {
    EXPECT_LT(harness::ResidentBytes(sidecar.process().pid()).value_or(0), before + kGrowth);
  }
  answer.set_value();
  EXPECT_TRUE(connection->ReadThrough("late").ok());
  connection->Close();
}

}  // namespace
}  // namespace pillion::proxy_test
