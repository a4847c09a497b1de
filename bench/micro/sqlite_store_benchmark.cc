// Accepting on disk: what one message costs when several share a commit, and so its wait for the
// disk.
//
// The store is made in $TMPDIR, or /var/tmp: on a tmpfs syncing costs nothing, and says nothing.

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "core/check.h"
#include "sidecar/delivery/model.h"
#include "sidecar/delivery/sqlite_store.h"

namespace pillion::delivery {
namespace {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    const char* parent = std::getenv("TMPDIR");
    path_ = std::string(parent != nullptr ? parent : "/var/tmp") + "/pillion-bench-XXXXXX";
    PILLION_CHECK(mkdtemp(path_.data()) != nullptr);
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string NewId() {
  static int last = 0;
  char text[32];
  std::snprintf(text, sizeof text, "01M82SWNAQ%016d", ++last);
  return text;
}

void StoreCommit(benchmark::State& state) {
  const TemporaryDirectory directory;
  const auto store = SqliteStore::Open(directory.path());
  PILLION_CHECK(store.ok());

  Message message;
  message.kind = MessageKind::kAsync;
  message.method = "POST";
  message.path_and_query = "/user/?user_id=1";
  message.authority = "users";
  message.headers = std::string(200, 'h');
  message.body = std::string(256, 'b');
  message.created_at = absl::FromUnixSeconds(1'700'000'000);
  message.expires_at = message.created_at + absl::Hours(24);
  NewDelivery delivery;
  delivery.target = {TargetKind::kRoute, "users/routes[0]"};
  delivery.cluster = "users";
  const Lease lease = {"sidecar", absl::Seconds(30)};

  for (auto _ : state) {
    PILLION_CHECK((*store)->Begin().ok());
    for (int i = 0; i < state.range(0); ++i) {
      message.id = NewId();
      const auto row = (*store)->InsertMessage(message, /*idempotency=*/nullptr, /*deliveries=*/1);
      PILLION_CHECK(row.ok());
      PILLION_CHECK(
          (*store)->InsertDelivery(*row, 0, message, delivery, message.id, &lease, false).ok());
    }
    PILLION_CHECK((*store)->Commit(delivery::Durability::kNow, absl::Now()).ok());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(StoreCommit)->Arg(1)->Arg(16)->Arg(64)->Arg(256)->UseRealTime();

}  // namespace
}  // namespace pillion::delivery
