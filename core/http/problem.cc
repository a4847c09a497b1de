#include "core/http/problem.h"

#include <nlohmann/json.hpp>

#include "core/http/serialize.h"

namespace pillion::http {

std::string ToJson(const Problem& problem) {
  nlohmann::ordered_json json;
  json["type"] = "about:blank";
  json["title"] = problem.title.empty() ? std::string(ReasonPhrase(problem.status)) : problem.title;
  json["status"] = problem.status;
  if (!problem.detail.empty()) json["detail"] = problem.detail;
  if (!problem.instance.empty()) json["instance"] = problem.instance;
  if (!problem.flag.empty()) json["flag"] = std::string(problem.flag);
  if (!problem.why.empty()) json["why"] = problem.why;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace pillion::http
