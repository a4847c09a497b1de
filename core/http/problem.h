// Errors that Pillion itself answers: application/problem+json (RFC 9457) with two extensions,
// `flag` and `why`.

#ifndef PILLION_CORE_HTTP_PROBLEM_H_
#define PILLION_CORE_HTTP_PROBLEM_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pillion::http {

inline constexpr std::string_view kProblemContentType = "application/problem+json";

struct Problem {
  Problem() = default;
  Problem(int status, std::string_view flag, std::string detail)
      : status(status), flag(flag), detail(std::move(detail)) {}

  int status = 500;
  // One of Envoy's response flags (NR, UF, UH, UO, UT, UC, URX, DC, ...), or "" when none fits;
  // static text. Also sent as the header pillion-flag.
  std::string_view flag;
  std::string title;             // empty: the status code's reason phrase
  std::string detail;            // what happened and what to do, for a person
  std::vector<std::string> why;  // lines of explanation, may be empty
  std::string instance;          // the path of the call, may be empty
  std::vector<std::pair<std::string, std::string>>
      headers;  // sent with it: retry-after, allow, ...
};

// The JSON text, valid whatever bytes the strings hold.
std::string ToJson(const Problem& problem);

}  // namespace pillion::http

#endif  // PILLION_CORE_HTTP_PROBLEM_H_
