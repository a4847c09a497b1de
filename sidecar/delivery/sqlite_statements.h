// The prepared statements of the SQLite store. Internal to it.
#ifndef PILLION_SIDECAR_DELIVERY_SQLITE_STATEMENTS_H_
#define PILLION_SIDECAR_DELIVERY_SQLITE_STATEMENTS_H_

#include "absl/status/status.h"
#include "sidecar/delivery/sqlite.h"

namespace pillion::delivery {

struct SqliteStatements {
  absl::Status Prepare(const Database& database);

  Statement begin, commit, rollback, set_generation;
  Statement find_target, insert_target, all_targets, all_backlogs, set_backlog;
  Statement page_count, free_page_count;
  Statement find_idempotent, insert_message, insert_delivery, key_is_busy;
  Statement held_messages, set_attributes, wait_behind;
  Statement recover, last_created, set_back, next_due, claim, load_claimed, reschedule, set_resume,
      set_progress, resting, end_rest;
  Statement state_of, finish, put_result, delete_result, first_of_key, let_go, set_callback, replay;
  Statement next_deadline, overdue, message_range, forget_content, forget_delivery, size_of_content,
      set_deadline;
  Statement still_needed, count_failed, delete_message, delete_deliveries, delete_results,
      delete_delivery;
  Statement next_undelivered_deadline, forget_undelivered;
  Statement find_message, find_deliveries, find_delivery, read_result, read_content;
  Statement scan_all, scan_dead, count_unfinished, counts_dead;
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_SQLITE_STATEMENTS_H_
