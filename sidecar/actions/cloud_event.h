// CloudEvents 1.0 (https://github.com/cloudevents/spec): what a published message is on the wire.

#ifndef PILLION_SIDECAR_ACTIONS_CLOUD_EVENT_H_
#define PILLION_SIDECAR_ACTIONS_CLOUD_EVENT_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/http/head.h"
#include "sidecar/delivery/model.h"

namespace pillion::sidecar {

inline constexpr std::string_view kStructuredContentType =
    "application/cloudevents+json; charset=utf-8";

// Context attributes by name (lower case, without "ce-"), in order; `datacontenttype` among them.
struct CloudEvent {
  std::vector<std::pair<std::string, std::string>> attributes;
  std::string data;  // of one that was parsed

  // The value of an attribute, or "".
  std::string_view Get(std::string_view name) const;
  // Sets one that is absent, unless `value` is empty.
  void Default(std::string_view name, std::string_view value);
};

enum class CloudEventMode { kNone, kBinary, kStructured, kBatch };

// How a request carries an event, by its headers (HTTP binding section 3; the batch type is looked
// for before the structured one, which begins alike).
CloudEventMode ModeOf(const http::HeaderList& headers);

// The event in a request of mode kBinary (values are unquoted and percent-decoded, section 3.1.3.2)
// or kStructured. Errors (InvalidArgument): a required attribute is missing, an attribute's name or
// value is not allowed, an attribute is there twice, the JSON is malformed.
absl::StatusOr<CloudEvent> ParseCloudEvent(CloudEventMode mode, const http::HeaderList& headers,
                                           std::string body);

// How many events one batch may have.
inline constexpr size_t kMaxBatchEvents = 1000;

// The events of a batch (JSON format section 4), in order; it may be empty. Errors: as for a
// structured one, and they say the event's index; OutOfRange: there are too many.
absl::StatusOr<std::vector<CloudEvent>> ParseCloudEventBatch(const std::string& body);

// An error of the event `index` of a batch, so that the publisher finds it.
absl::Status InBatch(size_t index, const absl::Status& error);

// InvalidArgument for attributes that, as headers, some subscriber would refuse with 431: one of
// more than 4 KiB, or all together more than 16 KiB.
absl::Status CheckAttributeSizes(const CloudEvent& event);

// Attributes as they are stored with a message, and back, without data. The message's id and time
// stand in for those that the publisher did not give.
std::string EncodeAttributes(const CloudEvent& event);
CloudEvent CloudEventOf(const delivery::Message& message);

// Binary mode: one header an attribute, content-type from datacontenttype. Without payload there is
// no datacontenttype. The values are copied into the list.
void AddBinaryHeaders(const CloudEvent& event, bool payload, http::HeaderList* headers);

// Structured mode: the JSON of the event. JSON data stands in it as JSON, text as text, all else as
// base64.
std::string ToStructured(const CloudEvent& event, std::string_view data, bool payload);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_CLOUD_EVENT_H_
