#include "sidecar/delivery/sqlite_repeat.h"

#include <cassert>

#include "absl/container/flat_hash_map.h"
#include "sidecar/delivery/statement_log.h"
#include "sidecar/delivery/status_macros.h"

namespace pillion::delivery {
absl::Status Repeat(Database& database, std::string_view record) {
  assert(!database.logging());
  absl::flat_hash_map<std::string_view, Statement> statements;
  return ReadRecord(record, [&](const LoggedStatement& logged) -> absl::Status {
    const auto [place, is_new] = statements.try_emplace(logged.sql);
    if (is_new) PILLION_RETURN_IF_ERROR(place->second.Prepare(database, logged.sql));
    Query query = Query::AsItIs(database, place->second);
    query.BindAll(logged.values, /*copy=*/false);
    return query.Run();
  });
}

}  // namespace pillion::delivery
