// The delivery database's file: opening it, what is in it, and whether it is ours.
#ifndef PILLION_SIDECAR_DELIVERY_SQLITE_SCHEMA_H_
#define PILLION_SIDECAR_DELIVERY_SQLITE_SCHEMA_H_

#include <string>

#include "absl/status/statusor.h"
#include "sidecar/delivery/sqlite.h"

namespace pillion::delivery {

inline constexpr int kSchemaVersion = 4;

// Opens `path`, creates the tables if it is new, brings them up to date if an older Pillion made
// them, and takes SQLite's exclusive lock. Commits are durable from here on (WAL,
// synchronous=FULL). Errors, each naming the file and what to do: damaged, another program's, of a
// newer Pillion (FailedPrecondition), locked, not writable, disk full.
absl::StatusOr<Database> OpenDeliveryDatabase(std::string path);

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_SQLITE_SCHEMA_H_
