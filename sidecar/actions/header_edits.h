// The policy's header edits: *_headers_to_add and *_headers_to_remove.

#ifndef PILLION_SIDECAR_ACTIONS_HEADER_EDITS_H_
#define PILLION_SIDECAR_ACTIONS_HEADER_EDITS_H_

#include <google/protobuf/repeated_field.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/http/head.h"

namespace pillion::config::v1 {
class HeaderValue;
}

namespace pillion::sidecar {

// Immutable. Removes first, then adds, in the order of the policy. Calls see views of its texts,
// and hold the policy that it belongs to.
class HeaderEdits {
 public:
  using Values = google::protobuf::RepeatedPtrField<config::v1::HeaderValue>;
  using Names = google::protobuf::RepeatedPtrField<std::string>;

  HeaderEdits() = default;
  HeaderEdits(const Values& add, const Names& remove);

  void Apply(http::HeaderList& headers) const {
    if (!empty()) ApplyAll(headers);
  }

  // The same edits with every `{name}` in a value replaced. The texts are then views of the copy.
  using Replacements = std::vector<std::pair<absl::string_view, absl::string_view>>;
  HeaderEdits Filled(const Replacements& replacements) const;

  bool empty() const { return add_.empty() && remove_.empty(); }

 private:
  void ApplyAll(http::HeaderList& headers) const;

  enum class Mode { kAppend, kIfAbsent, kOverwrite };
  struct Addition {
    std::string name;
    std::string value;
    Mode mode;
  };
  std::vector<Addition> add_;
  std::vector<std::string> remove_;
};

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_HEADER_EDITS_H_
