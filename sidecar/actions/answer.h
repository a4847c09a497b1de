// What an upstream's answer says, as it is stored with a delivery.
//
// Threads: pure functions.
#ifndef PILLION_SIDECAR_ACTIONS_ANSWER_H_
#define PILLION_SIDECAR_ACTIONS_ANSWER_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "sidecar/delivery/model.h"

namespace pillion::sidecar {

// The value of a header; "" if it is not there. Lives as long as the answer.
std::string_view HeaderOf(const delivery::Answer& answer, std::string_view name);

// The body as a JSON object; null if it is none.
nlohmann::json ObjectOf(const delivery::Answer& answer);

// The text of that name in an object; "" if there is none.
std::string TextOf(const nlohmann::json& json, const char* name);

// An answer that is no success, for the error of a delivery: "answered 503", and what more it says
// of that, as "answered 503 (UF): cannot connect to 127.0.0.1:8080". In parentheses is the response
// flag of a proxy that answered itself (pillion-flag); the rest is the `detail` (or `title`) of a
// problem (RFC 9457), at most 256 bytes of it. One line of UTF-8.
std::string DescribeAnswer(const delivery::Answer& answer);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_ANSWER_H_
