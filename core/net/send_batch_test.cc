#include "core/net/send_batch.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/net/loop.h"

namespace pillion::net {
namespace {

class SendBatchTest : public testing::Test {
 protected:
  struct Pair {
    Pair() {
      EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
      handle.fd = ends[0];
    }
    ~Pair() {
      close(ends[0]);
      if (ends[1] >= 0) close(ends[1]);
    }
    void ClosePeer() { close(std::exchange(ends[1], -1)); }
    std::string Received() const {
      std::string bytes(1 << 20, '\0');
      const ssize_t got = recv(ends[1], bytes.data(), bytes.size(), 0);
      bytes.resize(got < 0 ? 0 : static_cast<size_t>(got));
      return bytes;
    }

    int ends[2];
    IoHandle handle;
  };

  struct SendOperation : IoOperation {
    SendOperation(Loop& loop, Pair& pair, std::vector<std::string_view> bytes)
        : IoOperation(loop, Kind::kSend, &pair.handle) {
      for (std::string_view piece : bytes) {
        pieces[static_cast<size_t>(piece_count++)] = {const_cast<char*>(piece.data()),
                                                      piece.size()};
      }
    }
  };

  SendBatchTest() { signal(SIGPIPE, SIG_IGN); }
  ~SendBatchTest() override { signal(SIGPIPE, SIG_DFL); }

  const std::unique_ptr<Loop> loop_ = *Loop::Create(IoKind::kEpoll);
};

TEST_F(SendBatchTest, SendsPiecesOfManyAtOnce) {
  const std::unique_ptr<SendBatch> batch = SendBatch::Create();
  ASSERT_NE(batch, nullptr) << "this system forbids io_submit(2)";
  Pair one, several;
  SendOperation first(*loop_, one, {"hello"});
  SendOperation second(*loop_, several, {"", "a", "", "bc"});
  for (int round = 0; round < 2; ++round) {
    batch->Add(first);
    batch->Add(second);
    std::vector<std::pair<IoOperation*, ssize_t>> done;
    batch->Submit(
        [&](IoOperation& operation, ssize_t result) { done.emplace_back(&operation, result); });
    using Done = std::pair<IoOperation*, ssize_t>;
    EXPECT_EQ(done, (std::vector<Done>{{&first, 5}, {&second, 3}}));
    EXPECT_EQ(one.Received(), "hello");
    EXPECT_EQ(several.Received(), "abc");
  }
}

TEST_F(SendBatchTest, TellsOfEachWhyItCouldNotBeSentWhole) {
  const std::unique_ptr<SendBatch> batch = SendBatch::Create();
  ASSERT_NE(batch, nullptr) << "this system forbids io_submit(2)";
  Pair broken, narrow, full, whole;
  broken.ClosePeer();
  const std::string much(4 << 20, 'x');
  ASSERT_GT(send(full.ends[0], much.data(), much.size(), 0), 0);
  SendOperation operations[] = {{*loop_, broken, {"lost"}},
                                {*loop_, narrow, {much}},
                                {*loop_, full, {much}},
                                {*loop_, whole, {"ok"}}};
  for (SendOperation& operation : operations) batch->Add(operation);
  std::vector<ssize_t> results;
  batch->Submit([&](IoOperation&, ssize_t result) { results.push_back(result); });
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(results[0], -EPIPE);
  EXPECT_GT(results[1], 0);
  EXPECT_LT(results[1], static_cast<ssize_t>(much.size()));
  EXPECT_EQ(results[2], -EAGAIN);
  EXPECT_EQ(results[3], 2);
}

TEST_F(SendBatchTest, WhatTheKernelDoesNotTakeIsTold) {
  const std::unique_ptr<SendBatch> batch = SendBatch::Create();
  ASSERT_NE(batch, nullptr) << "this system forbids io_submit(2)";
  Pair before, behind, closed;
  SendOperation operations[] = {
      {*loop_, before, {"sent"}}, {*loop_, closed, {"x"}}, {*loop_, behind, {"not taken"}}};
  const int fd = std::exchange(closed.handle.fd, -1);
  for (SendOperation& operation : operations) batch->Add(operation);
  std::vector<ssize_t> results;
  batch->Submit([&](IoOperation&, ssize_t result) { results.push_back(result); });
  EXPECT_EQ(results, (std::vector<ssize_t>{4, -EAGAIN, -EAGAIN}));
  closed.handle.fd = fd;
}

TEST_F(SendBatchTest, IsNotToBeHadWhereABrokenPipeEndsTheProcess) {
  signal(SIGPIPE, SIG_DFL);
  EXPECT_EQ(SendBatch::Create(), nullptr);
}

}  // namespace
}  // namespace pillion::net
