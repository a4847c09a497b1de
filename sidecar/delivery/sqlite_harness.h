// What tests of the SQLite store need: a store whose files can be made to fail, what it has, and
// its end by a kill. Linked in place of the C library's, fdatasync(), pread64() and sched_yield()
// do what is said here, for SQLite, too.
#ifndef PILLION_SIDECAR_DELIVERY_SQLITE_HARNESS_H_
#define PILLION_SIDECAR_DELIVERY_SQLITE_HARNESS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "sidecar/delivery/sqlite_store.h"

namespace pillion::delivery {

// Of files whose names end so; null: none.
extern std::atomic<const char*> fail_syncs_of;
extern std::atomic<bool> hold_those_syncs;  // before they fail
extern std::atomic<const char*> fail_reads_of;
extern std::atomic<int> read_error;
// Calls of sched_yield().
extern std::atomic<int> yields;

// When everything is accepted.
inline const absl::Time kNow = absl::FromUnixSeconds(1000);

// A new one for each call.
std::string NewDirectory();
// Aborts if it cannot be opened.
std::unique_ptr<SqliteStore> Open(const std::string& directory);

// An operation with one delivery, in the transaction that is under way.
absl::Status Insert(SqliteStore& store, const std::string& id, const std::string& body = "body");
// The same in a transaction of its own.
absl::Status Accept(SqliteStore& store, const std::string& id,
                    Durability durability = Durability::kNow, const std::string& body = "body");

// Whoever reads waits for it.
void WaitForSettling(SqliteStore& store);
bool Has(SqliteStore& store, const std::string& id);
// How many messages the database's own files have, as another program sees them.
int64_t Settled(const std::string& directory);

// Runs `body` in a process that then ends as if it was killed; a store that is destroyed before
// ends in order.
void InKilledProcess(const std::function<void()>& body);

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_SQLITE_HARNESS_H_
