// The status of operations and messages as JSON, for whoever polls it and for callbacks.

#ifndef PILLION_SIDECAR_ACTIONS_STATUS_JSON_H_
#define PILLION_SIDECAR_ACTIONS_STATUS_JSON_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "sidecar/actions/status_paths.h"
#include "sidecar/delivery/model.h"

namespace pillion::sidecar {

// RFC 3339, in UTC, to the millisecond.
std::string TimeText(absl::Time time);

// Whether it is an operation: an asynchronous call.
bool IsOperation(const delivery::MessageView& view);

// The state of the whole: of a message with several deliveries, the least advanced one's.
std::string_view StateOf(const delivery::MessageView& view);

// When it is worth asking again: its next attempt, or its end; at most 30 seconds from `now` if it
// rests after a failed attempt. InfiniteFuture: it has ended.
absl::Time NextLook(const delivery::MessageView& view, absl::Time now);

// `authority` is that of the URLs in it.
nlohmann::ordered_json StatusJson(const delivery::MessageView& view, std::string_view authority);

// What a status says of its callback. REQUIRES: one delivery.
nlohmann::ordered_json CallbackJson(const delivery::MessageView& callback);

// One line. Bytes that are no UTF-8, as from an upstream, are replaced.
std::string ToText(const nlohmann::ordered_json& json);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_STATUS_JSON_H_
