#include "sidecar/delivery/sqlite_harness.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "gtest/gtest.h"
#include "sidecar/delivery/child_process.h"

namespace pillion::delivery {

std::atomic<const char*> fail_syncs_of = nullptr;
std::atomic<bool> hold_those_syncs = false;
std::atomic<const char*> fail_reads_of = nullptr;
std::atomic<int> read_error = EIO;
std::atomic<int> yields = 0;

namespace {

bool NameEnds(int fd, const char* end) {
  if (end == nullptr) return false;
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  char path[4096];
  const ssize_t size = readlink(link.c_str(), path, sizeof path);
  return std::string_view(path, size < 0 ? 0 : static_cast<size_t>(size)).ends_with(end);
}

}  // namespace

std::string NewDirectory() {
  std::string name = testing::TempDir() + "/store-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) std::abort();
  return name;
}

std::unique_ptr<SqliteStore> Open(const std::string& directory) {
  absl::StatusOr<std::unique_ptr<SqliteStore>> store = SqliteStore::Open(directory);
  if (!store.ok()) {
    ADD_FAILURE() << store.status();
    std::abort();
  }
  return *std::move(store);
}

absl::Status Insert(SqliteStore& store, const std::string& id, const std::string& body) {
  Message message;
  message.id = id;
  message.created_at = kNow;
  message.body = body;
  NewDelivery delivery;
  delivery.target = {TargetKind::kRoute, "reports"};
  delivery.cluster = "orders";
  const absl::StatusOr<RowId> row = store.InsertMessage(message, nullptr, 1);
  if (!row.ok()) return row.status();
  return store.InsertDelivery(*row, 0, message, delivery, id, nullptr, false).status();
}

absl::Status Accept(SqliteStore& store, const std::string& id, Durability durability,
                    const std::string& body) {
  absl::Status status = store.Begin();
  if (status.ok()) status = Insert(store, id, body);
  if (status.ok()) status = store.Commit(durability, kNow);
  if (!status.ok()) store.Rollback();
  return status;
}

void WaitForSettling(SqliteStore& store) { EXPECT_TRUE(store.Counts().ok()); }

bool Has(SqliteStore& store, const std::string& id) {
  const auto found = store.Find(id);
  EXPECT_TRUE(found.ok()) << found.status();
  return found.ok() && found->has_value();
}

int64_t Settled(const std::string& directory) {
  const std::string copy = NewDirectory();
  for (const char* file : {"/deliveries.db", "/deliveries.db-wal"}) {
    std::error_code gone;  // the log is, once the store is closed
    std::filesystem::copy_file(directory + file, copy + file, gone);
  }
  sqlite3* database = nullptr;
  sqlite3_stmt* statement = nullptr;
  EXPECT_EQ(sqlite3_open((copy + "/deliveries.db").c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_prepare_v2(database, "SELECT count(*) FROM message", -1, &statement, nullptr),
            SQLITE_OK);
  EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);
  const int64_t count = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  sqlite3_close(database);
  return count;
}

void InKilledProcess(const std::function<void()>& body) {
  ChildProcess child([&](int) {
    body();
    if (!testing::Test::HasFailure()) raise(SIGKILL);
  });
  EXPECT_EQ(child.Wait(), 128 + SIGKILL);
}

}  // namespace pillion::delivery

extern "C" {

int fdatasync(int fd) {
  if (pillion::delivery::NameEnds(fd, pillion::delivery::fail_syncs_of)) {
    while (pillion::delivery::hold_those_syncs) usleep(100);
    errno = EIO;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}

int sched_yield() noexcept {
  ++pillion::delivery::yields;
  return 0;
}

ssize_t pread64(int fd, void* bytes, size_t size, off64_t offset) {
  if (pillion::delivery::NameEnds(fd, pillion::delivery::fail_reads_of)) {
    errno = pillion::delivery::read_error;
    return -1;
  }
  return syscall(SYS_pread64, fd, bytes, size, offset);
}

}  // extern "C"
