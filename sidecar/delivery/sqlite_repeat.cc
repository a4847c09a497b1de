#include "sidecar/delivery/sqlite_repeat.h"

#include <cassert>

#include "absl/container/flat_hash_map.h"
#include "sidecar/delivery/statement_log.h"
#include "sidecar/delivery/status_macros.h"

namespace pillion::delivery {
namespace {

void Bind(Query& query, const LoggedValue& value) {
  switch (value.tag) {
    case StatementLog::kInt:
      query.Int(value.number);
      break;
    case StatementLog::kText:
      query.Text(value.bytes);
      break;
    case StatementLog::kBlob:
      query.Blob(value.bytes);
      break;
    default:
      query.Null();
  }
}

}  // namespace

absl::Status Repeat(Database& database, std::string_view record) {
  assert(database.log() == nullptr);
  absl::flat_hash_map<std::string_view, Statement> statements;
  return ReadRecord(record, [&](const LoggedStatement& logged) -> absl::Status {
    const auto [place, is_new] = statements.try_emplace(logged.sql);
    if (is_new) PILLION_RETURN_IF_ERROR(place->second.Prepare(database, logged.sql));
    Query query(database, place->second);
    for (const LoggedValue& value : logged.values) Bind(query, value);
    return query.Run();
  });
}

}  // namespace pillion::delivery
