#include "sidecar/actions/header_edits.h"

#include "absl/strings/str_replace.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::sidecar {

HeaderEdits::HeaderEdits(const Values& add, const Names& remove)
    : remove_(remove.begin(), remove.end()) {
  for (const config::v1::HeaderValue& value : add) {
    Mode mode = Mode::kAppend;
    if (value.append_action() == config::v1::HeaderValue::ADD_IF_ABSENT) mode = Mode::kIfAbsent;
    if (value.append_action() == config::v1::HeaderValue::OVERWRITE_IF_EXISTS_OR_ADD) {
      mode = Mode::kOverwrite;
    }
    add_.push_back({value.name(), value.value(), mode});
  }
}

HeaderEdits HeaderEdits::Filled(const Replacements& replacements) const {
  HeaderEdits filled = *this;
  for (Addition& addition : filled.add_) absl::StrReplaceAll(replacements, &addition.value);
  return filled;
}

void HeaderEdits::ApplyAll(http::HeaderList& headers) const {
  for (const std::string& name : remove_) headers.Remove(name);
  for (const Addition& addition : add_) {
    switch (addition.mode) {
      case Mode::kAppend:
        headers.Add(addition.name, addition.value);
        break;
      case Mode::kIfAbsent:
        if (headers.Find(addition.name) == nullptr) headers.Add(addition.name, addition.value);
        break;
      case Mode::kOverwrite:
        headers.Set(addition.name, addition.value);
        break;
    }
  }
}

}  // namespace pillion::sidecar
