#include "tests/faults/store_totals.h"

#include <sqlite3.h>

#include <cstdlib>
#include <functional>
#include <memory>

#include "absl/strings/str_cat.h"

namespace pillion::faults {
namespace {

using Row = std::function<void(const char* first, const char* second)>;

// Each row has two columns.
absl::Status Select(sqlite3* database, const std::string& sql, Row row) {
  const auto call = [](void* context, int, char** values, char**) {
    (*static_cast<Row*>(context))(values[0] == nullptr ? "" : values[0],
                                  values[1] == nullptr ? "" : values[1]);
    return 0;
  };
  if (sqlite3_exec(database, sql.c_str(), call, &row, nullptr) == SQLITE_OK) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(sql, ": ", sqlite3_errmsg(database)));
}

}  // namespace

absl::StatusOr<StoreTotals> ReadStore(const std::string& database) {
  sqlite3* handle = nullptr;
  const int opened = sqlite3_open_v2(database.c_str(), &handle, SQLITE_OPEN_READWRITE, nullptr);
  const std::unique_ptr<sqlite3, int (*)(sqlite3*)> close(handle, &sqlite3_close);
  if (opened != SQLITE_OK) {
    return absl::DataLossError(
        absl::StrCat("cannot open ", database, ": ", sqlite3_errstr(opened)));
  }
  StoreTotals totals;
  absl::Status read =
      Select(handle, "SELECT integrity_check, '' FROM pragma_integrity_check",
             [&](const char* line, const char*) {
               absl::StrAppend(&totals.integrity, totals.integrity.empty() ? "" : "; ", line);
             });
  if (read.ok()) {
    read = Select(handle, "SELECT CAST(body AS TEXT), '' FROM message",
                  [&](const char* body, const char*) {
                    totals.numbers.push_back(std::strtoull(body, nullptr, 10));
                  });
  }
  if (read.ok()) {
    // As sidecar/delivery/sqlite_schema.cc numbers them, from -1.
    constexpr const char* kStates[] = {"pending",   "pending", "pending",  "running",
                                       "succeeded", "failed",  "canceled", "expired"};
    read = Select(handle, "SELECT state, count(*) FROM delivery GROUP BY state",
                  [&](const char* state, const char* count) {
                    totals.states[kStates[std::atoi(state) + 1]] += std::atoll(count);
                  });
  }
  if (read.ok()) {
    read = Select(handle, "SELECT sum(pending), sum(pending_bytes) FROM target",
                  [&](const char* pending, const char* bytes) {
                    totals.backlog = std::atoll(pending);
                    totals.backlog_bytes = std::atoll(bytes);
                  });
  }
  if (!read.ok()) return read;
  return totals;
}

}  // namespace pillion::faults
