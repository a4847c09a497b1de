#include "control/cli/deliveries_command.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "control/cli/rest_client.h"
#include "control/cli/table.h"
#include "core/strings.h"
#include "pillion/api/v1/deliveries.pb.h"

namespace pillion::control {
namespace {

using api::v1::ChangeDeliveriesResponse;
using api::v1::Delivery;
using api::v1::ListDeliveriesResponse;
using google::protobuf::util::TimeUtil;

constexpr auto kTimeout = std::chrono::seconds(60);
constexpr uint32_t kMaxPage = 1000;
constexpr size_t kMaxIds = 1000;

std::string DeliveriesUrl(std::string_view sidecar, std::string_view rest) {
  return UrlOf(sidecar, StrCat("/.pillion/deliveries", rest));
}

// Much answers HTTP: one of the sidecar's listeners, control, a service. FailedPrecondition: it is
// not the admin listener of a sidecar.
absl::Status CheckIsSidecar(const std::string& sidecar) {
  const absl::StatusOr<std::string> info = Get(UrlOf(sidecar, "/server_info"), kTimeout);
  if (!info.ok() && !absl::IsUnknown(info.status())) return info.status();
  const auto json = nlohmann::json::parse(info.ok() ? *info : "", nullptr,
                                          /*allow_exceptions=*/false);
  if (json.is_object() && json.contains("node") && json.contains("workers")) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError("not a sidecar's admin listener");
}

int Complain(const std::string& sidecar, const absl::Status& why, std::ostream& err) {
  const std::string reason = Printable(FromAbsl(why.message()));
  if (absl::IsUnknown(why)) {
    err << "the sidecar at " << sidecar << " refuses: " << reason << "\n";
  } else if (absl::IsFailedPrecondition(why)) {
    err << "what answers at " << sidecar
        << " is not the admin listener of a sidecar\nName that with --sidecar HOST:PORT: `admin` "
           "in "
           "the sidecar's bootstrap, 127.0.0.1:15000 unless it says otherwise; the log has it as "
           "'admin on HOST:PORT'.\n";
  } else {
    err << "no sidecar answers at " << sidecar << ": " << reason
        << "\nIs pillion-sidecar running, and is this the address of its `admin`? Name another "
           "with --sidecar HOST:PORT.\n";
  }
  return 1;
}

// The sidecar may be newer than this program, and know more.
template <typename Response>
absl::StatusOr<Response> Parse(const absl::StatusOr<std::string>& json) {
  if (!json.ok()) return json.status();
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  Response response;
  if (google::protobuf::util::JsonStringToMessage(*json, &response, options).ok()) return response;
  return absl::UnavailableError("the answer is not one of a sidecar's");
}

// For any place of a URL (RFC 3986 section 2).
std::string Escaped(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '-' || c == '.' || c == '_') {
      escaped += c;
    } else {
      escaped += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return escaped;
}

void AddParameter(std::string_view name, std::string_view value, std::string& query) {
  StrAppend(&query, query.empty() ? "?" : "&", name, "=", Escaped(value));
}

// One page after the other.
class Pages {
 public:
  // `full`: with answers and payloads.
  Pages(std::string sidecar, const DeliveryConditions& filter, bool full, std::string token)
      : sidecar_(std::move(sidecar)), token_(std::move(token)) {
    for (const auto& [name, value] : filter) AddParameter(name, value, query_);
    if (full) AddParameter("view", "full", query_);
  }

  // The JSON of the next one, and in `page` what it says. REQUIRES: not over().
  absl::StatusOr<std::string> Next(uint32_t size, ListDeliveriesResponse& page) {
    std::string query = query_;
    AddParameter("page_size", StrCat(std::min(size, kMaxPage)), query);
    if (!token_.empty()) AddParameter("page_token", token_, query);
    absl::StatusOr<std::string> json = Get(DeliveriesUrl(sidecar_, query), kTimeout);
    absl::StatusOr<ListDeliveriesResponse> parsed = Parse<ListDeliveriesResponse>(json);
    if (!parsed.ok()) return parsed.status();
    page = *std::move(parsed);
    token_ = page.next_page_token();
    over_ = token_.empty();
    return json;
  }
  bool over() const { return over_; }
  const std::string& token() const { return token_; }

 private:
  const std::string sidecar_;
  std::string query_;
  std::string token_;
  bool over_ = false;
};

std::string LastOf(const Delivery& delivery) {
  if (delivery.continues() && delivery.has_percent_complete()) {
    return StrCat("works on, ", delivery.percent_complete(), " %");
  }
  if (delivery.continues()) return "works on";
  if (!delivery.last_error().empty()) return Printable(delivery.last_error());
  return delivery.has_last_status() ? StrCat(delivery.last_status()) : "-";
}

// When a pending one is attempted next, or what it waits for.
std::string NextOf(const Delivery& delivery) {
  if (delivery.state() != Delivery::PENDING) return "-";
  if (delivery.held()) return "held";
  if (delivery.behind_key()) return "behind key";
  const absl::Duration rest =
      absl::FromUnixMillis(TimeUtil::TimestampToMilliseconds(delivery.next_attempt_at())) -
      absl::Now();
  if (rest <= absl::ZeroDuration()) return "due";
  return StrCat("in ", absl::FormatDuration(absl::Ceil(rest, absl::Seconds(1))));
}

std::vector<std::string> RowOf(const Delivery& delivery) {
  return {OrDash(delivery.id()),
          absl::AsciiStrToLower(Delivery::State_Name(delivery.state())),
          absl::AsciiStrToLower(Delivery::Kind_Name(delivery.kind())),
          delivery.has_route() ? StrCat("route ", Printable(delivery.route()))
                               : StrCat("subscription ", Printable(delivery.subscription())),
          OrDash(delivery.topic()),
          OrDash(delivery.key()),
          StrCat(delivery.attempts()),
          TimeUtil::ToString(delivery.created_at()),
          NextOf(delivery),
          LastOf(delivery)};
}

void PrintTable(const std::vector<Delivery>& deliveries, std::ostream& out) {
  std::vector<std::vector<std::string>> rows = {
      {"ID", "STATE", "KIND", "FOR", "TOPIC", "KEY", "ATTEMPTS", "CREATED", "NEXT", "LAST"}};
  for (const Delivery& delivery : deliveries) rows.push_back(RowOf(delivery));
  for (const std::string& line : Aligned(rows)) out << line << "\n";
}

nlohmann::json BodyOf(const ChangeDeliveriesArguments& arguments, size_t first_id) {
  nlohmann::json body;
  if (!arguments.filter.empty()) {
    body["filter"] = arguments.filter;
  } else if (arguments.all) {
    body["all"] = true;
  }
  for (size_t i = first_id; i < std::min(first_id + kMaxIds, arguments.ids.size()); ++i) {
    body["ids"].push_back(arguments.ids[i]);
  }
  return body;
}

std::string_view Done(std::string_view verb) {
  return verb == "replay" ? "replayed" : verb == "cancel" ? "canceled" : "dropped";
}

}  // namespace

int ListDeliveries(const ListDeliveriesArguments& arguments, Streams streams) {
  const absl::Status is_sidecar = CheckIsSidecar(arguments.sidecar);
  if (!is_sidecar.ok()) return Complain(arguments.sidecar, is_sidecar, streams.err);
  Pages pages(arguments.sidecar, arguments.filter, /*full=*/false, arguments.page_token);
  std::vector<Delivery> deliveries;
  while (!pages.over() && deliveries.size() < arguments.limit) {
    ListDeliveriesResponse page;
    const absl::StatusOr<std::string> json =
        pages.Next(arguments.limit - static_cast<uint32_t>(deliveries.size()), page);
    if (!json.ok()) return Complain(arguments.sidecar, json.status(), streams.err);
    deliveries.insert(deliveries.end(), page.deliveries().begin(), page.deliveries().end());
  }
  if (deliveries.empty()) {
    streams.out << "no delivery matches\n";
    return 0;
  }
  PrintTable(deliveries, streams.out);
  if (!pages.over()) {
    streams.out << "there may be more; go on with --page-token " << pages.token() << "\n";
  }
  return 0;
}

int ShowDelivery(const ShowDeliveryArguments& arguments, Streams streams) {
  const absl::Status is_sidecar = CheckIsSidecar(arguments.sidecar);
  if (!is_sidecar.ok()) return Complain(arguments.sidecar, is_sidecar, streams.err);
  const std::string path =
      StrCat("/", Escaped(arguments.id), arguments.payload ? "?view=full" : "");
  const absl::StatusOr<std::string> json = Get(DeliveriesUrl(arguments.sidecar, path), kTimeout);
  if (!json.ok()) return Complain(arguments.sidecar, json.status(), streams.err);
  streams.out << *json;
  return 0;
}

int ExportDeliveries(const ExportDeliveriesArguments& arguments, Streams streams) {
  const absl::Status is_sidecar = CheckIsSidecar(arguments.sidecar);
  if (!is_sidecar.ok()) return Complain(arguments.sidecar, is_sidecar, streams.err);
  Pages pages(arguments.sidecar, arguments.filter, arguments.payload, "");
  while (!pages.over()) {
    ListDeliveriesResponse page;
    const absl::StatusOr<std::string> json = pages.Next(kMaxPage, page);
    if (!json.ok()) return Complain(arguments.sidecar, json.status(), streams.err);
    // From the sidecar's own text, with what this program does not know.
    const auto parsed = nlohmann::ordered_json::parse(*json, nullptr, /*allow_exceptions=*/false);
    if (!parsed.is_object() || !parsed.contains("deliveries")) continue;
    for (const auto& delivery : parsed["deliveries"]) streams.out << delivery.dump() << "\n";
  }
  streams.out.flush();
  if (streams.out.good()) return 0;
  streams.err << "the output cannot be written; is its disk full?\n";
  return 1;
}

int ChangeDeliveries(const ChangeDeliveriesArguments& arguments, Streams streams) {
  const absl::Status is_sidecar = CheckIsSidecar(arguments.sidecar);
  if (!is_sidecar.ok()) return Complain(arguments.sidecar, is_sidecar, streams.err);
  const std::string url = DeliveriesUrl(arguments.sidecar, StrCat(":", arguments.verb));
  uint64_t changed = 0;
  uint64_t skipped = 0;
  std::vector<std::string> unknown;
  std::string token;
  size_t next_id = 0;
  absl::Status failed;
  do {
    nlohmann::json body = BodyOf(arguments, next_id);
    if (!token.empty()) body["page_token"] = token;
    const absl::StatusOr<ChangeDeliveriesResponse> response =
        Parse<ChangeDeliveriesResponse>(Post(url, body.dump(), kTimeout));
    failed = response.status();
    if (!failed.ok()) break;
    changed += response->changed();
    skipped += response->skipped();
    unknown.insert(unknown.end(), response->unknown_ids().begin(), response->unknown_ids().end());
    token = response->next_page_token();
    next_id += kMaxIds;
  } while (!token.empty() || next_id < arguments.ids.size());
  if (failed.ok() || changed > 0) {
    streams.out << Done(arguments.verb) << " " << changed;
    if (skipped > 0) streams.out << ", skipped " << skipped << " whose state does not allow it";
    streams.out << "\n";
  }
  for (const std::string& id : unknown) {
    streams.err << "nothing with the id '" << Printable(id) << "' is known (any more)\n";
  }
  if (!failed.ok()) return Complain(arguments.sidecar, failed, streams.err);
  const bool in_vain = !arguments.ids.empty() && changed == 0;
  return unknown.empty() && !in_vain ? 0 : 1;
}

}  // namespace pillion::control
