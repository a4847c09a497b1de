#include "sidecar/delivery/fields.h"

#include <cstdint>

namespace pillion::delivery {
namespace {

void AppendCounted(std::string& encoded, std::string_view text) {
  uint64_t length = text.size();
  for (; length >= 0x80; length >>= 7) encoded.push_back(static_cast<char>(length | 0x80));
  encoded.push_back(static_cast<char>(length));
  encoded.append(text);
}

bool ConsumeCounted(std::string_view& encoded, std::string_view& text) {
  uint64_t length = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    if (encoded.empty()) return false;
    const auto byte = static_cast<uint8_t>(encoded.front());
    encoded.remove_prefix(1);
    length |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (length > encoded.size()) return false;
      text = encoded.substr(0, length);
      encoded.remove_prefix(length);
      return true;
    }
  }
  return false;
}

}  // namespace

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
