#include "sidecar/actions/answer.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "core/config/utf8.h"
#include "core/http/header_names.h"
#include "core/http/problem.h"
#include "core/strings.h"
#include "sidecar/delivery/fields.h"

namespace pillion::sidecar {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxFlag = 8;
constexpr size_t kMaxProblem = 64 * 1024;
constexpr size_t kMaxDetail = 256;

bool IsProblem(const delivery::Answer& answer) {
  const std::string_view type = HeaderOf(answer, "content-type");
  return http::EqualsIgnoreCase(type.substr(0, type.find(';')), http::kProblemContentType) &&
         answer.body.size() <= kMaxProblem;
}

std::string DetailOf(const delivery::Answer& answer) {
  if (!IsProblem(answer)) return "";
  const Json problem = ObjectOf(answer);
  std::string detail = TextOf(problem, "detail");
  if (detail.empty()) detail = TextOf(problem, "title");
  if (detail.size() > kMaxDetail) {
    detail.resize(kMaxDetail);
    detail.resize(std::min(kMaxDetail, config::FindInvalidUtf8(detail)));  // half a character
    detail += "...";
  }
  std::replace_if(
      detail.begin(), detail.end(), [](char c) { return absl::ascii_iscntrl(c); }, ' ');
  return detail;
}

}  // namespace

std::string_view HeaderOf(const delivery::Answer& answer, std::string_view name) {
  const auto fields = delivery::DecodeFields(answer.headers);
  if (!fields) return "";
  for (const auto& [field, value] : *fields) {
    if (http::EqualsIgnoreCase(field, name)) return value;
  }
  return "";
}

Json ObjectOf(const delivery::Answer& answer) {
  const size_t begin = answer.body.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos || answer.body[begin] != '{') return Json();
  Json json = Json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json : Json();
}

std::string TextOf(const Json& json, const char* name) {
  if (!json.is_object()) return "";
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string DescribeAnswer(const delivery::Answer& answer) {
  std::string text = StrCat("answered ", answer.status);
  const std::string_view flag = HeaderOf(answer, "pillion-flag");
  if (!flag.empty() && flag.size() <= kMaxFlag &&
      std::all_of(flag.begin(), flag.end(), [](char c) { return absl::ascii_isalnum(c); })) {
    StrAppend(&text, " (", flag, ")");
  }
  if (const std::string detail = DetailOf(answer); !detail.empty()) {
    StrAppend(&text, ": ", detail);
  }
  return text;
}

}  // namespace pillion::sidecar
