// Fuzzes the reader of batches of CloudEvents: what is accepted is complete, and each event can be
// stored and written as a structured one that is read as the same event again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/http/head.h"
#include "sidecar/actions/cloud_event.h"
#include "sidecar/delivery/model.h"

namespace pillion::sidecar {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckEvent(const CloudEvent& event) {
  for (const char* name : {"specversion", "id", "source", "type"})
    Require(!event.Get(name).empty());
  delivery::Message message;
  message.attributes = EncodeAttributes(event);
  const CloudEvent stored = CloudEventOf(message);
  for (const auto& [name, value] : event.attributes) Require(stored.Get(name) == value);
  // Sent on only if its attributes are small enough, and an attribute that became text once stays
  // so.
  if (!CheckAttributeSizes(event).ok()) return;
  const std::string json = ToStructured(event, event.data, /*payload=*/true);
  const auto again = ParseCloudEvent(CloudEventMode::kStructured, http::HeaderList(), json);
  Require(again.ok());
  for (const auto& [name, value] : event.attributes) Require(again->Get(name) == value);
}

void CheckBatch(const std::string& body) {
  const auto events = ParseCloudEventBatch(body);
  if (!events.ok()) {
    Require(!events.status().message().empty());
    return;
  }
  Require(events->size() <= kMaxBatchEvents);
  for (const CloudEvent& event : *events) CheckEvent(event);
}

}  // namespace
}  // namespace pillion::sidecar

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  pillion::sidecar::CheckBatch(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
