#include "sidecar/delivery/sqlite_repeat.h"

#include <cassert>

#include "sidecar/delivery/statement_log.h"
#include "sidecar/delivery/status_macros.h"

namespace pillion::delivery {

absl::Status Repetition::Do(std::string_view record) {
  assert(!database_.logging());
  return ReadRecord(record, [this](const LoggedStatement& logged) -> absl::Status {
    auto place = statements_.find(logged.sql);
    if (place == statements_.end()) {
      place = statements_.try_emplace(std::string(logged.sql)).first;
      PILLION_RETURN_IF_ERROR(place->second.Prepare(database_, logged.sql));
    }
    Query query = Query::AsItIs(database_, place->second);
    query.BindAll(logged.values, /*copy=*/false);
    return query.Run();
  });
}

}  // namespace pillion::delivery
