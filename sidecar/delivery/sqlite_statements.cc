#include "sidecar/delivery/sqlite_statements.h"

#include <string_view>

#include "sidecar/delivery/sqlite_rows.h"
#include "sidecar/delivery/status_macros.h"

namespace pillion::delivery {
namespace {

struct Source {
  Statement SqliteStatements::*statement;
  std::string_view sql;
  Statement::Order order = Statement::Order::kKept;
};

using S = SqliteStatements;

// Those that write and give no rows are deferred (sqlite.h): whatever they are given, they must not
// fail for a reason of their own, such as a constraint.
//
// SQLite uses a partial index only if the query repeats the index's condition: hence `state <= 2
// AND ...`.
constexpr Source kSources[] = {
    {&S::begin, "BEGIN IMMEDIATE"},
    {&S::commit, "COMMIT"},
    {&S::rollback, "ROLLBACK"},
    {&S::set_generation, "UPDATE journal SET generation = ?"},

    {&S::find_target, "SELECT id, pending, pending_bytes FROM target WHERE kind = ? AND name = ?"},
    {&S::insert_target, "INSERT INTO target(kind, name) VALUES(?, ?) RETURNING id"},
    {&S::all_targets,
     "SELECT kind, name, (SELECT min(due_at) FROM delivery WHERE state <= 2 AND state = 1 AND "
     "target = target.id)"
     " FROM target WHERE pending > 0"},
    {&S::all_backlogs, "SELECT kind, name, pending, pending_bytes FROM target WHERE pending > 0"},
    {&S::set_backlog, "UPDATE target SET pending = ?, pending_bytes = ? WHERE id = ?",
     Statement::Order::kFree},
    {&S::page_count, "PRAGMA page_count"},
    {&S::free_page_count, "PRAGMA freelist_count"},

    {&S::find_idempotent,
     "SELECT id, fingerprint FROM message WHERE idempotency_key IS NOT NULL AND idempotency_scope "
     "= ?"
     " AND idempotency_key = ?"},
    {&S::insert_message,
     "INSERT INTO message(seq, id, kind, last_delivery, created_at, expires_at, forget_at, "
     "forgotten,"
     " idempotency_scope, idempotency_key, fingerprint, topic, method, path, authority, "
     "attributes, headers, body)"
     " VALUES(?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
     Statement::Order::kRowsTogether},
    {&S::insert_delivery,
     "INSERT INTO delivery(seq, ordinal, id, target, cluster, ordering_key, state, attempts, "
     "due_at, deadline_at,"
     " started_at, reason, last_status, last_error, lease_owner, lease_until, num_retries, "
     "base_interval,"
     " max_interval, attempt_timeout, retention, dead_letter_retention, concurrency, callback, "
     "extra, not_before, bytes)"
     " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
     Statement::Order::kRowsTogether},
    {&S::key_is_busy,
     "SELECT 1 FROM delivery WHERE ordering_key IS NOT NULL AND state <= 2 AND state >= 0 AND "
     "target = ? AND ordering_key = ?"
     " LIMIT 1"},

    {&S::held_messages,
     "SELECT DISTINCT m.id FROM delivery d CROSS JOIN message m ON m.seq = d.seq - d.ordinal"
     " WHERE d.state <= 2 AND d.state = -1 ORDER BY m.seq"},
    {&S::set_attributes, "UPDATE message SET attributes = ? WHERE seq = ?"},
    {&S::wait_behind, "UPDATE delivery SET state = 0 WHERE seq = ?"},

    {&S::recover,
     "UPDATE delivery SET state = 1, due_at = ?, lease_owner = NULL, lease_until = NULL"
     " WHERE state <= 2 AND state = 2"},
    {&S::last_created, "SELECT created_at FROM message ORDER BY seq DESC LIMIT 1"},
    {&S::set_back,
     "UPDATE delivery SET due_at = due_at - ?1, not_before = not_before - ?1,"
     " deadline_at = deadline_at - ?1 WHERE state <= 2"},
    {&S::next_due,
     "SELECT " PILLION_ENTRY_COLUMNS
     ", d.due_at, d.deadline_at FROM delivery d CROSS JOIN target t ON t.id = d.target"
     " CROSS JOIN message m ON m.seq = d.seq - d.ordinal"
     " WHERE d.state <= 2 AND d.state = 1 AND d.target = ? ORDER BY d.due_at, d.seq LIMIT 1"},
    {&S::claim,
     "UPDATE delivery SET state = 2, attempts = attempts + (resume IS NULL), due_at = NULL, "
     "started_at = CASE WHEN resume IS NULL THEN ?1 ELSE started_at END, lease_owner = ?2,"
     " lease_until = CASE WHEN attempt_timeout >= 0 THEN ?1 + attempt_timeout + ?3 END WHERE seq = "
     "?4 AND state = 1"
     " RETURNING seq"},
    {&S::load_claimed,
     "SELECT " PILLION_DELIVERY_COLUMNS ", " PILLION_SUMMARY_COLUMNS
     ", m.attributes, m.headers, CASE WHEN d.resume IS NULL THEN m.body ELSE x'' END, "
     "coalesce(d.resume, x'')"
     " FROM delivery d JOIN target t ON t.id = d.target JOIN message m ON m.seq = d.seq - d.ordinal"
     " WHERE d.seq = ?"},
    {&S::reschedule,
     "UPDATE delivery SET state = 1, due_at = ?, not_before = ?, attempts = attempts - "
     "CASE WHEN resume IS NULL THEN ? ELSE 0 END, last_status = ?, last_error = ?,"
     " lease_owner = NULL, lease_until = NULL WHERE seq = ?"},

    {&S::set_resume, "UPDATE delivery SET resume = ? WHERE seq = ?"},
    {&S::set_progress, "UPDATE delivery SET percent_complete = ? WHERE seq = ?"},

    {&S::resting,
     "SELECT d.seq, d.due_at, t.kind, t.name FROM delivery d CROSS JOIN target t ON t.id = d.target"
     " WHERE d.state = 1 AND d.not_before IS NULL AND d.cluster = ? AND (d.due_at, d.seq) > (?, ?)"
     " ORDER BY d.due_at, d.seq LIMIT ?"},
    {&S::end_rest, "UPDATE delivery SET due_at = ? WHERE seq = ?"},

    {&S::state_of, "SELECT state FROM delivery WHERE seq = ?"},
    {&S::finish,
     "UPDATE delivery SET state = ?, reason = ?, due_at = NULL, deadline_at = ?, finished_at = ?,"
     " last_status = coalesce(?, last_status), last_error = coalesce(?, last_error),"
     " lease_owner = NULL, lease_until = NULL, resume = NULL WHERE seq = ?"},
    {&S::put_result,
     "INSERT OR REPLACE INTO result(seq, status, headers, body) VALUES(?, ?, ?, ?)"},
    {&S::delete_result, "DELETE FROM result WHERE seq = ?"},
    {&S::first_of_key,
     "SELECT seq FROM delivery WHERE ordering_key IS NOT NULL AND state <= 2 AND state >= 0 AND "
     "target = ? AND ordering_key = ?"
     " ORDER BY seq LIMIT 1"},
    {&S::let_go,
     "UPDATE delivery SET state = 1, due_at = max(?, coalesce(not_before, 0)) WHERE seq = ?"
     " RETURNING due_at"},
    {&S::set_callback, "UPDATE delivery SET callback = ? WHERE seq = ?"},
    // The lifetime starts again: as long as it was at acceptance.
    {&S::replay,
     "UPDATE delivery SET state = ?1, attempts = 0, due_at = ?2, not_before = ?3, started_at = "
     "NULL, finished_at = NULL, reason = 0,"
     " callback = CASE WHEN callback IS NOT NULL THEN '' END, percent_complete = NULL,"
     " deadline_at = ?3 + (SELECT expires_at - created_at FROM message WHERE message.seq = "
     "delivery.seq - ordinal)"
     " WHERE seq = ?4"},

    {&S::next_deadline, "SELECT min(deadline_at) FROM delivery WHERE deadline_at > 0"},
    {&S::overdue,
     "SELECT " PILLION_ENTRY_COLUMNS " FROM delivery d CROSS JOIN target t ON t.id = d.target"
     " CROSS JOIN message m ON m.seq = d.seq - d.ordinal"
     " WHERE d.deadline_at > 0 AND d.deadline_at <= ? ORDER BY d.deadline_at LIMIT ?"},
    {&S::message_range,
     "SELECT m.seq, m.last_delivery, m.kind, m.forgotten FROM delivery d"
     " JOIN message m ON m.seq = d.seq - d.ordinal WHERE d.seq = ?"},
    {&S::forget_content,
     "UPDATE message SET forgotten = 1, attributes = x'', headers = x'', body = x'' WHERE seq = ?"},
    {&S::forget_delivery, "UPDATE delivery SET deadline_at = ?, extra = x'' WHERE seq = ?"},
    {&S::size_of_content,
     "SELECT length(m.headers) + length(m.body) + coalesce((SELECT length(headers) + length(body) "
     "FROM result"
     " WHERE seq = ?1), 0) FROM delivery d JOIN message m ON m.seq = d.seq - d.ordinal WHERE d.seq "
     "= ?1"},
    {&S::set_deadline, "UPDATE delivery SET deadline_at = ? WHERE seq = ?"},
    {&S::still_needed,
     "SELECT 1 FROM delivery WHERE seq BETWEEN ? AND ? AND (state <= 2 OR deadline_at IS NULL OR "
     "deadline_at > ?)"
     " LIMIT 1"},
    {&S::count_failed, "SELECT count(*) FROM delivery WHERE seq BETWEEN ? AND ? AND state = 4"},
    {&S::delete_message, "DELETE FROM message WHERE seq = ?"},
    {&S::delete_deliveries, "DELETE FROM delivery WHERE seq BETWEEN ? AND ?"},
    {&S::delete_results, "DELETE FROM result WHERE seq BETWEEN ? AND ?"},
    {&S::delete_delivery, "DELETE FROM delivery WHERE seq = ?"},
    {&S::next_undelivered_deadline,
     "SELECT min(forget_at) FROM message WHERE forget_at IS NOT NULL"},
    {&S::forget_undelivered,
     "DELETE FROM message WHERE seq IN (SELECT seq FROM message WHERE forget_at IS NOT NULL AND "
     "forget_at <= ?"
     " ORDER BY forget_at LIMIT ?) RETURNING seq"},

    {&S::find_message,
     "SELECT " PILLION_SUMMARY_COLUMNS ", m.last_delivery FROM message m WHERE m.id = ?"},
    {&S::find_deliveries,
     "SELECT " PILLION_DELIVERY_COLUMNS " FROM delivery d JOIN target t ON t.id = d.target"
     " JOIN message m ON m.seq = d.seq - d.ordinal WHERE d.seq BETWEEN ? AND ? ORDER BY d.seq"},
    {&S::find_delivery,
     "SELECT " PILLION_DELIVERY_COLUMNS ", " PILLION_SUMMARY_COLUMNS " FROM delivery d"
     " JOIN target t ON t.id = d.target JOIN message m ON m.seq = d.seq - d.ordinal"
     " WHERE d.id = ?"},
    {&S::read_result, "SELECT status, headers, body FROM result WHERE seq = ?"},
    {&S::read_content,
     "SELECT headers, attributes, CASE WHEN length(body) <= ?2 THEN body ELSE x'' END, length(body)"
     " FROM message WHERE seq = ?1 AND NOT forgotten"},
    {&S::scan_all,
     "SELECT " PILLION_DELIVERY_COLUMNS ", " PILLION_SUMMARY_COLUMNS " FROM delivery d"
     " CROSS JOIN target t ON t.id = d.target CROSS JOIN message m ON m.seq = d.seq - d.ordinal"
     " WHERE d.seq > ? ORDER BY d.seq LIMIT ?"},
    // The index is in the order of acceptance for each state: three runs of it, merged.
    {&S::scan_dead,
     "SELECT " PILLION_DELIVERY_COLUMNS ", " PILLION_SUMMARY_COLUMNS " FROM delivery d"
     " CROSS JOIN target t ON t.id = d.target CROSS JOIN message m ON m.seq = d.seq - d.ordinal"
     " WHERE d.seq IN (SELECT seq FROM delivery WHERE state >= 4 AND state = ?1 AND seq > ?4"
     " UNION ALL SELECT seq FROM delivery WHERE state >= 4 AND state = ?2 AND seq > ?4"
     " UNION ALL SELECT seq FROM delivery WHERE state >= 4 AND state = ?3 AND seq > ?4"
     " ORDER BY seq LIMIT ?5) ORDER BY d.seq"},
    {&S::count_unfinished, "SELECT coalesce(sum(pending), 0) FROM target"},
    {&S::counts_dead, "SELECT count(*) FROM delivery WHERE state >= 4 AND state = 4"},
};

}  // namespace

absl::Status SqliteStatements::Prepare(const Database& database) {
  for (const Source& source : kSources) {
    PILLION_RETURN_IF_ERROR((this->*source.statement).Prepare(database, source.sql, source.order));
  }
  return absl::OkStatus();
}

}  // namespace pillion::delivery
