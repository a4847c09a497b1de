#include "sidecar/actions/cloud_event.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "core/http/chars.h"
#include "core/strings.h"
#include "sidecar/delivery/fields.h"

namespace pillion::sidecar {
namespace {

using http::HeaderId;

constexpr std::string_view kBatchType = "application/cloudevents-batch";
constexpr std::string_view kStructuredType = "application/cloudevents";
constexpr std::string_view kPrefix = "ce-";
constexpr int kMaxDepth = 100;
constexpr size_t kMaxAttributeBytes = 4096;
constexpr size_t kMaxAttributesBytes = 16384;
constexpr std::string_view kRequired[] = {"specversion", "id", "source", "type"};

bool StartsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return absl::StartsWithIgnoreCase(ToAbsl(text), ToAbsl(prefix));
}

// Attribute names are lower-case letters and digits (CloudEvents section 3.1).
bool IsAttributeName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) ||
           absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
}

// HTTP binding section 3.1.3.2.
std::string PercentEncode(std::string_view value) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (unsigned char c : value) {
    if (c > 0x20 && c < 0x7f && c != '"' && c != '%') {
      out += static_cast<char>(c);
    } else {
      out += '%';
      out += kHex[c >> 4];
      out += kHex[c & 15];
    }
  }
  return out;
}

std::string PercentDecode(std::string_view value) {
  std::string out;
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '%' && i + 2 < value.size() && absl::ascii_isxdigit(value[i + 1]) &&
        absl::ascii_isxdigit(value[i + 2])) {
      out += absl::HexStringToBytes(ToAbsl(value.substr(i + 1, 2)));
      i += 2;
    } else {
      out += value[i];
    }
  }
  return out;
}

// What a quoted string stands for (RFC 9110 section 5.6.4); anything else as it is.
std::string Unquote(std::string_view value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') return std::string(value);
  value = value.substr(1, value.size() - 2);
  std::string out;
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && i + 1 < value.size()) ++i;
    out += value[i];
  }
  return out;
}

absl::Status AddAttribute(std::string_view name, std::string value, CloudEvent& event) {
  for (const auto& attribute : event.attributes) {
    if (attribute.first == name) {
      return absl::InvalidArgumentError(StrCat("the attribute '", name, "' is there twice"));
    }
  }
  event.attributes.emplace_back(name, std::move(value));
  return absl::OkStatus();
}

absl::Status CheckRequired(const CloudEvent& event) {
  for (std::string_view name : kRequired) {
    if (event.Get(name).empty()) {
      return absl::InvalidArgumentError(StrCat("the CloudEvent has no attribute '", name, "'"));
    }
  }
  if (event.Get("specversion") != "1.0") {
    return absl::InvalidArgumentError(
        StrCat("CloudEvents specversion '", event.Get("specversion"), "' is not 1.0"));
  }
  if (!http::IsFieldValue(event.Get("datacontenttype"))) {
    return absl::InvalidArgumentError("datacontenttype is not a media type");
  }
  return absl::OkStatus();
}

absl::StatusOr<CloudEvent> ParseBinary(const http::HeaderList& headers, std::string body) {
  CloudEvent event;
  for (const http::Header& header : headers) {
    if (!StartsWithIgnoreCase(header.name, kPrefix)) continue;
    const std::string name = absl::AsciiStrToLower(ToAbsl(header.name.substr(kPrefix.size())));
    if (!IsAttributeName(name)) {
      return absl::InvalidArgumentError(
          StrCat("'", name, "' is not a CloudEvents attribute name (a-z and 0-9 only)"));
    }
    if (name == "datacontenttype") continue;  // that is what content-type says
    absl::Status added = AddAttribute(name, PercentDecode(Unquote(header.value)), event);
    if (!added.ok()) return added;
  }
  event.Default("datacontenttype", headers.Value(HeaderId::kContentType));
  if (!event.Get("data").empty()) {
    return absl::InvalidArgumentError("'ce-data' is not an attribute: the body is the data");
  }
  event.data = std::move(body);
  absl::Status complete = CheckRequired(event);
  if (!complete.ok()) return complete;
  return event;
}

bool IsJsonType(std::string_view type) {
  const std::string lower = absl::AsciiStrToLower(ToAbsl(type.substr(0, type.find(';'))));
  return lower.empty() || lower.ends_with("/json") || lower.ends_with("+json");
}

// JSON text can hold nothing else.
bool IsUtf8(std::string_view text) {
  using Handler = nlohmann::json::error_handler_t;
  const nlohmann::json json(text);
  return json.dump(-1, ' ', false, Handler::ignore) == json.dump(-1, ' ', false, Handler::replace);
}

// JSON whose values at `depth` (0: the whole) are to be events. Notices what the parser would not
// say: how many names an object really has, as it keeps one of each.
struct EventsJson {
  EventsJson(const std::string& text, int depth) {
    size_t names = 0;
    using Event = nlohmann::json::parse_event_t;
    const auto watch = [&](int at, Event event, nlohmann::json& value) {
      if (at > kMaxDepth && !too_deep) too_deep = events;
      names += event == Event::key && at == depth + 1;
      if (at == depth && event == Event::object_start) names = 0;
      if (at == depth &&
          (event == Event::object_end || event == Event::array_end || event == Event::value)) {
        if (event == Event::object_end && value.size() != names && !name_twice) name_twice = events;
        ++events;
      }
      return !too_deep;
    };
    json = nlohmann::json::parse(text, watch, /*allow_exceptions=*/false);
  }

  nlohmann::json json;  // discarded: malformed
  size_t events = 0;    // that are whole
  // The index of the first event that is nested too deep (writing it is recursive, and would use up
  // the stack), and of the first with a name that stands there twice.
  std::optional<size_t> too_deep;
  std::optional<size_t> name_twice;
};

absl::Status TooDeep() {
  return absl::InvalidArgumentError(StrCat("the JSON is nested more than ", kMaxDepth, " deep"));
}

absl::Status NameTwice() {
  return absl::InvalidArgumentError("a name stands twice in the JSON of the CloudEvent");
}

absl::StatusOr<CloudEvent> EventOf(const nlohmann::json& json) {
  CloudEvent event;
  for (const auto& [name, value] : json.items()) {
    if (name == "data" || name == "data_base64" || value.is_null()) continue;
    if (!IsAttributeName(name) || value.is_structured()) {
      return absl::InvalidArgumentError(
          StrCat("'", name,
                 "' is not a CloudEvents attribute: names are a-z and 0-9, values are "
                 "strings, numbers or booleans"));
    }
    event.attributes.emplace_back(name,
                                  value.is_string() ? value.get<std::string>() : value.dump());
  }
  if (const auto data = json.find("data_base64"); data != json.end()) {
    if (!data->is_string() || !absl::Base64Unescape(data->get<std::string>(), &event.data)) {
      return absl::InvalidArgumentError("data_base64 is not base64");
    }
  } else if (const auto plain = json.find("data"); plain != json.end()) {
    const bool text = plain->is_string() && !IsJsonType(event.Get("datacontenttype"));
    event.data = text ? plain->get<std::string>()
                      : plain->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    event.Default("datacontenttype", "application/json");
  }
  absl::Status complete = CheckRequired(event);
  if (!complete.ok()) return complete;
  return event;
}

absl::StatusOr<CloudEvent> ParseStructured(const std::string& body) {
  const EventsJson parsed(body, 0);
  if (parsed.too_deep) return TooDeep();
  if (!parsed.json.is_object()) {
    return absl::InvalidArgumentError("the body is not the JSON object of a CloudEvent");
  }
  if (parsed.name_twice) return NameTwice();
  return EventOf(parsed.json);
}

}  // namespace

std::string_view CloudEvent::Get(std::string_view name) const {
  for (const auto& [key, value] : attributes) {
    if (key == name) return value;
  }
  return "";
}

void CloudEvent::Default(std::string_view name, std::string_view value) {
  if (value.empty() || !Get(name).empty()) return;
  attributes.emplace_back(name, value);
}

CloudEventMode ModeOf(const http::HeaderList& headers) {
  const std::string_view type = headers.Value(HeaderId::kContentType);
  if (StartsWithIgnoreCase(type, kBatchType)) return CloudEventMode::kBatch;
  if (StartsWithIgnoreCase(type, kStructuredType)) return CloudEventMode::kStructured;
  if (headers.Find("ce-specversion") != nullptr) return CloudEventMode::kBinary;
  return CloudEventMode::kNone;
}

absl::StatusOr<CloudEvent> ParseCloudEvent(CloudEventMode mode, const http::HeaderList& headers,
                                           std::string body) {
  if (mode == CloudEventMode::kBinary) return ParseBinary(headers, std::move(body));
  return ParseStructured(body);
}

absl::Status InBatch(size_t index, const absl::Status& error) {
  return absl::Status(
      error.code(),
      StrCat("event ", index, " of the batch (the first is 0): ", FromAbsl(error.message())));
}

absl::StatusOr<std::vector<CloudEvent>> ParseCloudEventBatch(const std::string& body) {
  const EventsJson parsed(body, 1);
  if (parsed.too_deep) return InBatch(*parsed.too_deep, TooDeep());
  if (parsed.json.is_discarded()) {
    return InBatch(parsed.events, absl::InvalidArgumentError("here the body stops being JSON"));
  }
  if (!parsed.json.is_array()) {
    return absl::InvalidArgumentError(
        "the body is not the JSON array of a batch of CloudEvents; a single event has the content "
        "type application/cloudevents+json");
  }
  if (parsed.json.size() > kMaxBatchEvents) {
    return absl::OutOfRangeError(StrCat("the batch has ", parsed.json.size(),
                                        " events, and at most ", kMaxBatchEvents,
                                        " are accepted: send several batches"));
  }
  if (parsed.name_twice) return InBatch(*parsed.name_twice, NameTwice());
  std::vector<CloudEvent> events;
  for (const nlohmann::json& element : parsed.json) {
    if (!element.is_object()) {
      return InBatch(events.size(),
                     absl::InvalidArgumentError("it is not the JSON object of a CloudEvent"));
    }
    absl::StatusOr<CloudEvent> event = EventOf(element);
    if (!event.ok()) return InBatch(events.size(), event.status());
    events.push_back(*std::move(event));
  }
  return events;
}

absl::Status CheckAttributeSizes(const CloudEvent& event) {
  size_t all = 0;
  for (const auto& [name, value] : event.attributes) {
    const size_t size = name.size() + value.size();
    all += size;
    if (size > kMaxAttributeBytes) {
      return absl::InvalidArgumentError(StrCat("the attribute '", name.substr(0, 64),
                                               "' has more than ", kMaxAttributeBytes,
                                               " bytes; put such things into the data"));
    }
  }
  if (all <= kMaxAttributesBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("the attributes have more than ", kMaxAttributesBytes, " bytes together"));
}

std::string EncodeAttributes(const CloudEvent& event) {
  std::string encoded;
  for (const auto& [name, value] : event.attributes) delivery::AppendField(encoded, name, value);
  return encoded;
}

CloudEvent CloudEventOf(const delivery::Message& message) {
  CloudEvent event;
  event.attributes.emplace_back("specversion", "1.0");
  if (const auto fields = delivery::DecodeFields(message.attributes)) {
    for (const auto& [name, value] : *fields) {
      if (name != "specversion") event.attributes.emplace_back(name, value);
    }
  }
  event.Default("id", message.id);
  event.Default("type", message.topic);
  event.Default("time", FromAbsl(absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", message.created_at,
                                                  absl::UTCTimeZone())));
  return event;
}

void AddBinaryHeaders(const CloudEvent& event, bool payload, http::HeaderList* headers) {
  for (const auto& [name, value] : event.attributes) {
    if (name == "datacontenttype") {
      if (payload && http::IsFieldValue(value)) headers->AddCopy(HeaderId::kContentType, value);
    } else {
      headers->AddCopy(StrCat(kPrefix, name), PercentEncode(value));
    }
  }
}

std::string ToStructured(const CloudEvent& event, std::string_view data, bool payload) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [name, value] : event.attributes) {
    if (name != "datacontenttype" || payload) json[name] = value;
  }
  std::string raw;  // JSON data goes in as it is: parsing could change its numbers
  if (payload && !data.empty()) {
    const std::string_view type = event.Get("datacontenttype");
    if (IsJsonType(type) && nlohmann::json::accept(data)) {
      raw = StrCat(json.empty() ? "" : ",", R"("data":)", data, "}");
    } else if (StartsWithIgnoreCase(type, "text/") && IsUtf8(data)) {
      json["data"] = data;
    } else {
      json["data_base64"] = absl::Base64Escape(ToAbsl(data));
    }
  }
  std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (!raw.empty()) text.replace(text.size() - 1, 1, raw);
  return text;
}

}  // namespace pillion::sidecar
