// Doing again what a StatementLog has noted. Internal to the SQLite store.
#ifndef PILLION_SIDECAR_DELIVERY_SQLITE_REPEAT_H_
#define PILLION_SIDECAR_DELIVERY_SQLITE_REPEAT_H_

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "sidecar/delivery/sqlite.h"

namespace pillion::delivery {

// Of any number of records: their statements are prepared once. REQUIRES: the database has no log.
class Repetition {
 public:
  explicit Repetition(Database& database) : database_(database) {}

  // Executes the record's statements, in the transaction that is under way. After an error part of
  // it is done.
  absl::Status Do(std::string_view record);

 private:
  Database& database_;
  std::map<std::string, Statement, std::less<>> statements_;  // by their text
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_SQLITE_REPEAT_H_
