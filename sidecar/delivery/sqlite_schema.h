// The delivery database's file: opening it, what is in it, and whether it is ours.
#ifndef PILLION_SIDECAR_DELIVERY_SQLITE_SCHEMA_H_
#define PILLION_SIDECAR_DELIVERY_SQLITE_SCHEMA_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sidecar/delivery/sqlite.h"

namespace pillion::delivery {

inline constexpr int kSchemaVersion = 8;

// Whether tables may be created, where there are none.
using MayCreate = absl::FunctionRef<absl::Status()>;
// Does what the journal has of this generation and the next, and returns the last one.
using Replay = absl::FunctionRef<absl::StatusOr<uint64_t>(Database& database, uint64_t generation)>;

// Opens `path`, creates the tables if it has none, and takes SQLite's exclusive lock. What is in
// the journal, and not in the file yet, is done by `replay`; then its next generation may begin.
// Commits are durable from here on (WAL, synchronous=FULL). Errors, each naming the file and what
// to do: damaged, another program's, of another version of Pillion (FailedPrecondition), locked,
// not writable, disk full; those of `may_create` and `replay`.
absl::StatusOr<Database> OpenDeliveryDatabase(std::string path, MayCreate may_create,
                                              Replay replay);

// Which generation the journal's records have that are not in the file.
absl::StatusOr<uint64_t> JournalGeneration(Database& database);

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_SQLITE_SCHEMA_H_
