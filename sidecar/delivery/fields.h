// Lists of names and values as bytes: an encoding for Message::headers, Message::attributes and the
// like.
//
// Each name and each value is its length (a base-128 varint, least significant group first) and its
// bytes. Any bytes may stand in either; order and duplicates are kept.
#ifndef PILLION_SIDECAR_DELIVERY_FIELDS_H_
#define PILLION_SIDECAR_DELIVERY_FIELDS_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pillion::delivery {

// Appends one field to an encoded list.
void AppendField(std::string& encoded, std::string_view name, std::string_view value);

// The fields, as views into `encoded`. Nothing if the bytes are not such a list.
std::optional<std::vector<std::pair<std::string_view, std::string_view>>> DecodeFields(
    std::string_view encoded);

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_FIELDS_H_
