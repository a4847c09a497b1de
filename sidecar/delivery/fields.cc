#include "sidecar/delivery/fields.h"

#include "sidecar/delivery/varint.h"

namespace pillion::delivery {

void AppendField(std::string& encoded, std::string_view name, std::string_view value) {
  AppendCounted(encoded, name);
  AppendCounted(encoded, value);
}

std::optional<std::vector<std::pair<std::string_view, std::string_view>>> DecodeFields(
    std::string_view encoded) {
  std::vector<std::pair<std::string_view, std::string_view>> fields;
  while (!encoded.empty()) {
    std::string_view name;
    std::string_view value;
    if (!ConsumeCounted(encoded, name) || !ConsumeCounted(encoded, value)) return std::nullopt;
    fields.emplace_back(name, value);
  }
  return fields;
}

}  // namespace pillion::delivery
