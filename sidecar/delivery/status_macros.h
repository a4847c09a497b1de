// Passing an error on. For sources only: no header includes this.
#ifndef PILLION_SIDECAR_DELIVERY_STATUS_MACROS_H_
#define PILLION_SIDECAR_DELIVERY_STATUS_MACROS_H_

#include <utility>

// Returns from the enclosing function if `expression`, an absl::Status, is an error.
#define PILLION_RETURN_IF_ERROR(expression)                                              \
  do {                                                                                   \
    if (auto pillion_status = (expression); !pillion_status.ok()) return pillion_status; \
  } while (false)

// Declares or assigns `target` from an absl::StatusOr, or returns its error.
#define PILLION_ASSIGN_OR_RETURN(target, expression) \
  PILLION_ASSIGN_OR_RETURN_IMPL(PILLION_CONCAT(pillion_result_, __LINE__), target, expression)
#define PILLION_ASSIGN_OR_RETURN_IMPL(result, target, expression) \
  auto result = (expression);                                     \
  if (!result.ok()) return std::move(result).status();            \
  target = *std::move(result)
#define PILLION_CONCAT(a, b) PILLION_CONCAT_IMPL(a, b)
#define PILLION_CONCAT_IMPL(a, b) a##b

#endif  // PILLION_SIDECAR_DELIVERY_STATUS_MACROS_H_
