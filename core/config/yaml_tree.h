// YAML text as a tree of nodes with positions: the only place that touches yaml-cpp.
//
// The tree is built from yaml-cpp's events rather than with YAML::Load, because the limits that
// keep hostile text from exhausting memory or stack have to act while the text is read.
//
// Threads: a tree is immutable once parsed.
#ifndef PILLION_CORE_CONFIG_YAML_TREE_H_
#define PILLION_CORE_CONFIG_YAML_TREE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config/diagnostic.h"

namespace pillion::config {

// Limits on one file.
inline constexpr size_t kMaxYamlBytes = 4 << 20;
inline constexpr int kMaxYamlDepth = 64;
inline constexpr uint32_t kMaxYamlNodes =
    500'000;  // counting an aliased node as often as it is named

struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  bool plain = false;                  // a scalar without quotes: may be a number or a bool
  int line = 0;                        // from 1; of a value that is not there: where its key is
  int column = 0;                      // from 1, in characters
  std::string text;                    // of a scalar; valid UTF-8
  std::vector<const YamlNode*> items;  // of a list
  std::vector<std::pair<const YamlNode*, const YamlNode*>>
      entries;  // of a map: keys and values, in order

  uint32_t nodes = 1;  // in the tree below, with this one
  int height = 1;      // of that tree
};

class YamlTree {
 public:
  // Reads one document. nullptr: `text` is not YAML, is more than one document, uses tags or
  // exceeds a limit; one diagnostic about `file` says so. A text without a document gives a tree
  // with a null root.
  static std::unique_ptr<YamlTree> Parse(std::string_view text, const std::string& file,
                                         DiagnosticList* diagnostics);

  // Aliases are resolved: the same node can be found at several places.
  const YamlNode& root() const { return *root_; }

 private:
  friend class YamlTreeBuilder;

  YamlTree() = default;

  std::deque<YamlNode> nodes_;
  const YamlNode* root_ = nullptr;
};

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_YAML_TREE_H_
