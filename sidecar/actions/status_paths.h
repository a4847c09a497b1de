// Where operations and messages have their statuses, on the authority that was called.

#ifndef PILLION_SIDECAR_ACTIONS_STATUS_PATHS_H_
#define PILLION_SIDECAR_ACTIONS_STATUS_PATHS_H_

#include <string_view>

namespace pillion::sidecar {

inline constexpr std::string_view kOperations = "/.pillion/operations/";
inline constexpr std::string_view kMessages = "/.pillion/messages/";
inline constexpr std::string_view kResult = "/result";  // after an operation's

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_STATUS_PATHS_H_
