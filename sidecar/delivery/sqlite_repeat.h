// Doing again what a StatementLog has noted. Internal to the SQLite store.
#ifndef PILLION_SIDECAR_DELIVERY_SQLITE_REPEAT_H_
#define PILLION_SIDECAR_DELIVERY_SQLITE_REPEAT_H_

#include <string_view>

#include "absl/status/status.h"
#include "sidecar/delivery/sqlite.h"

namespace pillion::delivery {

// Executes the record's statements, in the transaction that is under way. After an error part of it
// is done. REQUIRES: the database has no log.
absl::Status Repeat(Database& database, std::string_view record);

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_SQLITE_REPEAT_H_
