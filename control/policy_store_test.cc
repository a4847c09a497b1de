#include "control/policy_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"
#include "tests/integration/harness/deadline.h"

namespace pillion::control {
namespace {

namespace fs = std::filesystem;
using Files = std::vector<config::SourceFile>;

// A policy whose one cluster listens on `port`.
Files Policy(int port) {
  return {{"policy/mesh.yaml",
           StrCat("clusters: [{ name: orders, endpoints: [\"127.0.0.1:", port, "\"] }]\n")}};
}
const Files kBad = {{"policy/mesh.yaml", "clusters: [{ name: orders }]\n"}};

class PolicyStoreTest : public testing::Test {
 protected:
  PolicyStoreTest() {
    std::string name = fs::path(testing::TempDir()) / "storeXXXXXX";
    root_ = mkdtemp(name.data());
    state_ = root_ / "state";
    Restart();
  }
  ~PolicyStoreTest() override { fs::remove_all(root_); }

  // As control does when it starts again.
  void Restart() {
    published_.clear();
    store_ = std::make_unique<PolicyStore>(
        state_.string(), [this](auto snapshot) { published_.push_back(std::move(snapshot)); });
    const absl::Status status = store_->Open();
    EXPECT_TRUE(status.ok()) << status;
  }

  fs::path root_, state_;
  std::vector<std::shared_ptr<const Snapshot>> published_;
  std::unique_ptr<PolicyStore> store_;
};

TEST_F(PolicyStoreTest, PublishesAGoodPolicy) {
  store_->Update(Policy(1));
  ASSERT_EQ(published_.size(), 1u);
  EXPECT_EQ(published_[0]->policy().clusters(0).endpoints(0).address(), "127.0.0.1:1");
  EXPECT_EQ(published_[0]->version().sequence, 1u);
  EXPECT_EQ(published_[0]->version().files, std::vector<std::string>{"policy/mesh.yaml"});
  EXPECT_TRUE(store_->view().check.errors.empty());
}

TEST_F(PolicyStoreTest, KeepsTheLastGoodPolicyAndShowsTheMistakesOfABadOne) {
  store_->Update(Policy(1));
  store_->Update(kBad);
  EXPECT_EQ(published_.size(), 1u);
  EXPECT_EQ(store_->view().snapshot, published_[0]);
  ASSERT_EQ(store_->view().check.errors.size(), 1u);
  EXPECT_TRUE(absl::StartsWith(store_->view().check.errors[0], "policy/mesh.yaml:1:"))
      << store_->view().check.errors[0];
  store_->Update(Policy(1));
  EXPECT_TRUE(store_->view().check.errors.empty());
  EXPECT_EQ(published_.size(), 1u) << "it never went away";
}

TEST_F(PolicyStoreTest, SaysWhatIsWrongWithTheDirectory) {
  store_->Update(absl::NotFoundError("policy/: no such file or directory"));
  EXPECT_EQ(store_->view().check.errors,
            std::vector<std::string>{"policy/: no such file or directory"});
  EXPECT_TRUE(published_.empty());
}

TEST_F(PolicyStoreTest, CountsVersionsAndRemembersWhatChanged) {
  store_->Update(Policy(1));
  store_->Update(Policy(2));
  const auto versions = store_->view().versions;
  ASSERT_EQ(versions.size(), 2u);
  EXPECT_EQ(versions[0].sequence, 2u);
  ASSERT_EQ(versions[0].changes.size(), 1u);
  EXPECT_EQ(versions[0].changes[0].kind, Change::Kind::kChanged);
  EXPECT_EQ(versions[0].changes[0].name, "orders");
  EXPECT_EQ(versions[1].changes[0].kind, Change::Kind::kAdded);
}

TEST_F(PolicyStoreTest, TakesAnEditOfACommentForNoChange) {
  store_->Update(Policy(1));
  Files commented = Policy(1);
  commented[0].text += "# as before\n";
  store_->Update(commented);
  EXPECT_EQ(published_.size(), 1u);
  EXPECT_EQ(store_->view().versions.size(), 1u);
}

TEST_F(PolicyStoreTest, GivesAPolicyThatReturnsItsIdAgain) {
  store_->Update(Policy(1));
  store_->Update(Policy(2));
  store_->Update(Policy(1));
  ASSERT_EQ(published_.size(), 3u);
  EXPECT_EQ(published_[2]->version().id, published_[0]->version().id);
  EXPECT_EQ(published_[2]->version().sequence, 3u);
}

TEST_F(PolicyStoreTest, RemembersTheLastTwentyVersions) {
  for (int port = 1; port <= 25; ++port) store_->Update(Policy(port));
  EXPECT_EQ(store_->view().versions.size(), 20u);
  EXPECT_EQ(store_->view().versions.back().sequence, 6u);
}

TEST_F(PolicyStoreTest, ServesTheLastGoodPolicyAfterARestartWithABadDirectory) {
  store_->Update(Policy(1));
  store_->Update(Policy(2));
  const std::string id = published_[1]->version().id;
  Restart();
  store_->Update(kBad);
  ASSERT_EQ(published_.size(), 1u);
  EXPECT_EQ(published_[0]->version().id, id);
  EXPECT_EQ(published_[0]->policy().clusters(0).endpoints(0).address(), "127.0.0.1:2");
  EXPECT_EQ(store_->view().versions.size(), 2u);
}

TEST_F(PolicyStoreTest, GoesOnWithTheSameVersionAfterARestartWithoutAnEdit) {
  store_->Update(Policy(1));
  const Version before = published_[0]->version();
  Restart();
  store_->Update(Policy(1));
  ASSERT_EQ(published_.size(), 1u);
  EXPECT_EQ(published_[0]->version().id, before.id);
  EXPECT_EQ(published_[0]->version().sequence, 1u);
  EXPECT_EQ(absl::ToUnixMillis(published_[0]->version().time), absl::ToUnixMillis(before.time));
}

TEST_F(PolicyStoreTest, DoesNotServeAnOlderPolicyFirstAfterARestart) {
  store_->Update(Policy(1));
  Restart();
  store_->Update(Policy(2));
  ASSERT_EQ(published_.size(), 1u);
  EXPECT_EQ(published_[0]->version().sequence, 2u);
}

TEST_F(PolicyStoreTest, IgnoresAndReplacesStateThatCannotBeUnderstood) {
  fs::create_directories(state_);
  for (const char* broken : {"", "{", "[]", "{\"versions\": 7}",
                             "{\"versions\": [{\"id\": \"x\"}],"
                             "\"policy\": {\"clusters\": [{\"name\": \"no-endpoints\"}]}}"}) {
    std::ofstream(state_ / "last_good_policy.json") << broken;
    Restart();
    EXPECT_EQ(store_->view().snapshot, nullptr) << broken;
  }
  store_->Update(Policy(1));
  Restart();
  EXPECT_NE(store_->view().snapshot, nullptr);
}

TEST_F(PolicyStoreTest, ServesAGoodPolicyThatItCannotKeepAndSaysSo) {
  fs::create_directory(state_ / "last_good_policy.json");  // in the way
  store_->Update(Policy(1));
  EXPECT_EQ(published_.size(), 1u);
  EXPECT_TRUE(absl::StrContains(store_->view().state_error, "last_good_policy.json"))
      << store_->view().state_error;
}

TEST_F(PolicyStoreTest, KeepsAPolicyAsSoonAsTheDiskAllowsIt) {
  PolicyStore store(
      state_.string(), [](auto) {}, absl::Milliseconds(1));
  ASSERT_TRUE(store.Open().ok());
  fs::create_directory(state_ / "last_good_policy.json");  // in the way
  store.Update(Policy(1));
  store.Update(Policy(1));  // what is served already changes nothing
  EXPECT_NE(store.view().state_error, "");
  fs::remove(state_ / "last_good_policy.json");
  EXPECT_TRUE(harness::Eventually([&] { return store.view().state_error.empty(); }));
  Restart();
  ASSERT_NE(store_->view().snapshot, nullptr);
  EXPECT_EQ(store_->view().snapshot->version().id, store.view().snapshot->version().id);
}

TEST_F(PolicyStoreTest, NamesAStateDirectoryThatCannotBeMade) {
  std::ofstream(root_ / "file") << "x";
  PolicyStore store((root_ / "file/state").string(), [](auto) {});
  const absl::Status status = store.Open();
  EXPECT_TRUE(absl::StrContains(status.message(), "cannot create the directory state.path"))
      << status;
}

}  // namespace
}  // namespace pillion::control
