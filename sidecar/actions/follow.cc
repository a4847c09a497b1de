#include "sidecar/actions/follow.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "core/http/chars.h"
#include "core/http/header_names.h"
#include "core/http/path.h"
#include "core/strings.h"
#include "sidecar/actions/answer.h"
#include "sidecar/delivery/fields.h"

namespace pillion::sidecar {
namespace {

using Json = nlohmann::json;

std::optional<int> PercentOf(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  const auto found = json.find("percentComplete");
  if (found == json.end() || !found->is_number()) return std::nullopt;
  const double percent = found->get<double>();
  if (!(percent >= 0 && percent <= 100)) return std::nullopt;
  return static_cast<int>(std::floor(percent));
}

// Pillion's own words for a state (docs/policy.md).
std::optional<UpstreamStatus::Kind> KindOf(std::string_view word) {
  if (word == "pending" || word == "running") return UpstreamStatus::kWorking;
  if (word == "succeeded") return UpstreamStatus::kSucceeded;
  if (word == "failed" || word == "canceled" || word == "cancelled" || word == "expired") {
    return UpstreamStatus::kFailed;
  }
  return std::nullopt;
}

}  // namespace

bool IsPassing(int status) {
  return status == 202 || status == 408 || status == 425 || status == 429 || status >= 500;
}

std::string Encode(const FollowedStatus& followed) {
  std::string bytes;
  delivery::AppendField(bytes, "polls", StrCat(followed.polls));
  delivery::AppendField(bytes, "failed_results", StrCat(followed.failed_results));
  delivery::AppendField(bytes, "path", followed.path);
  return bytes;
}

FollowedStatus DecodeFollowedStatus(std::string_view bytes) {
  FollowedStatus followed;
  followed.path = "/";
  const auto fields = delivery::DecodeFields(bytes);
  if (!fields) return followed;
  for (const auto& [name, value] : *fields) {
    if (name == "polls") (void)absl::SimpleAtoi(ToAbsl(value), &followed.polls);
    if (name == "failed_results") {
      (void)absl::SimpleAtoi(ToAbsl(value), &followed.failed_results);
    }
    if (name == "path" && !value.empty()) followed.path = value;
  }
  return followed;
}

std::string ResolvePath(std::string_view base, std::string_view reference) {
  reference = reference.substr(0, reference.find('#'));
  const size_t colon = reference.find_first_of(":/?");
  if (colon != reference.npos && reference[colon] == ':') {
    const std::string_view scheme = reference.substr(0, colon);
    if (!http::EqualsIgnoreCase(scheme, "http") && !http::EqualsIgnoreCase(scheme, "https")) {
      return "";
    }
    reference.remove_prefix(colon + 1);
    if (!reference.starts_with("//")) return "";
  }
  std::string path;
  if (reference.starts_with("//")) {
    reference.remove_prefix(2);
    reference.remove_prefix(std::min(reference.find_first_of("/?"), reference.size()));
    if (!reference.starts_with('/')) path = "/";
  } else if (reference.empty() || reference[0] == '?') {
    path = base.substr(0, base.find('?'));
  } else if (reference[0] != '/') {
    const std::string_view base_path = base.substr(0, base.find('?'));
    path = base_path.substr(0, base_path.rfind('/') + 1);
  }
  const size_t question = reference.find('?');
  path += reference.substr(0, question);
  std::string scratch;
  const http::NormalizedPath normalized = http::NormalizePath(path, &scratch);
  if (normalized.error != nullptr || !normalized.path.starts_with('/')) return "";
  if (question == reference.npos) return std::string(normalized.path);
  const std::string_view query = reference.substr(question);
  if (!http::All(query, http::kQueryChar)) return "";
  return StrCat(normalized.path, query);
}

std::string StatusPathOf(const delivery::Answer& accepted, std::string_view target) {
  const std::string_view location = HeaderOf(accepted, "location");
  if (!location.empty()) return ResolvePath(target, location);
  const std::string url = TextOf(ObjectOf(accepted), "statusUrl");
  return url.empty() ? "" : ResolvePath(target, url);
}

UpstreamStatus ReadUpstreamStatus(const delivery::Answer& answer, std::string_view path) {
  UpstreamStatus status;
  status.kind = answer.status < 400 ? UpstreamStatus::kSucceeded : UpstreamStatus::kFailed;
  status.word = answer.status < 400 ? "succeeded" : "failed";
  if (answer.status == 302 || answer.status == 303) {
    status.result_path = ResolvePath(path, HeaderOf(answer, "location"));
    if (HeaderOf(answer, "location").empty()) status.result_path.clear();
    return status;
  }
  const bool passing = IsPassing(answer.status);
  if (!passing && answer.status != 200) return status;
  const Json json = ObjectOf(answer);
  status.percent_complete = PercentOf(json);
  if (passing) {
    status.kind = UpstreamStatus::kWorking;
    status.word = "running";
    return status;
  }
  const std::string word = absl::AsciiStrToLower(TextOf(json, "status"));
  const std::optional<UpstreamStatus::Kind> kind = KindOf(word);
  if (!kind) return status;  // some other JSON: the result itself
  status.kind = *kind;
  status.word = word;
  const std::string url = TextOf(json, "resultUrl");
  if (*kind != UpstreamStatus::kWorking && !url.empty()) {
    status.result_path = ResolvePath(path, url);
  }
  return status;
}

absl::StatusOr<int> ParseProgress(std::string_view body) {
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  const std::optional<int> percent = PercentOf(json);
  if (percent) return *percent;
  return absl::InvalidArgumentError(
      R"(send how far the work is as JSON, from 0 to 100: {"percentComplete": 40})");
}

}  // namespace pillion::sidecar
