#include "core/config/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <optional>
#include <streambuf>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "core/config/utf8.h"
#include "core/config/yaml_advice.h"
#include "core/strings.h"

namespace pillion::config {
namespace {

// Thrown through yaml-cpp's parser, and caught in YamlTree::Parse.
YAML::ParserException Refuse(const YAML::Mark& mark, const std::string& why) {
  return YAML::ParserException(mark, why);
}

// Lets yaml-cpp read text without a copy.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin =
        const_cast<char*>(text.data());  // streambuf's interface; nothing writes to a get area
    setg(begin, begin, begin + text.size());
  }
};

// yaml-cpp takes some bytes for marks of its own (0x04 ends the text without a word), so bytes that
// do not belong into YAML are refused before it sees them.
std::optional<Diagnostic> FindBadByte(std::string_view text, const std::string& file) {
  const size_t bad = FindNonText(text);
  if (bad == std::string_view::npos) return std::nullopt;
  const std::string_view before = text.substr(0, bad);
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return Diagnostic{.file = file,
                    .line = static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
                    .column = static_cast<int>(bad - line_start) + 1,
                    .message = absl::StrFormat("not YAML: byte 0x%02x is not text in UTF-8",
                                               static_cast<unsigned char>(text[bad]))};
}

}  // namespace

// Builds the tree from events, with a stack of its own.
class YamlTreeBuilder : public YAML::EventHandler {
 public:
  explicit YamlTreeBuilder(YamlTree* tree) : tree_(tree) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (tree_->root_ != nullptr) throw Refuse(mark, "a second document; a file holds one");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Complete(New(mark, YamlNode::Kind::kNull), anchor, mark);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Refuse(mark, "an alias of a node that contains it");
    Attach(found->second, mark);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode* node = New(mark, YamlNode::Kind::kScalar);
    node->plain = tag == "?";
    if (!node->plain && tag != "!") throw Refuse(mark, "tags are not supported");
    if (FindInvalidUtf8(value) != std::string_view::npos) throw Refuse(mark, "not text in UTF-8");
    node->text = value;
    Complete(node, anchor, mark);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

  // Where the innermost list or map begins that has not ended; "": there is none.
  std::string Opened() const {
    if (stack_.empty()) return "";
    const YamlNode& node = *stack_.back().node;
    return StrCat("line ", node.line, ", column ", node.column);
  }

 private:
  struct OpenNode {
    YamlNode* node;
    YAML::anchor_t anchor;
    YAML::Mark mark;
    const YamlNode* key = nullptr;  // of a map: the key whose value comes next
  };

  YamlNode* New(const YAML::Mark& mark, YamlNode::Kind kind) {
    YamlNode* node = &tree_->nodes_.emplace_back();
    node->kind = kind;
    node->line = mark.line + 1;
    node->column = mark.column + 1;
    return node;
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YamlNode::Kind kind) {
    if (tag != "?" && tag != "" && tag != "!") throw Refuse(mark, "tags are not supported");
    if (stack_.size() >= kMaxYamlDepth) throw TooDeep(mark);
    stack_.push_back({.node = New(mark, kind), .anchor = anchor, .mark = mark});
  }

  void Close() {
    const OpenNode open = stack_.back();
    stack_.pop_back();
    Complete(open.node, open.anchor, open.mark);
  }

  void Complete(YamlNode* node, YAML::anchor_t anchor, const YAML::Mark& mark) {
    if (anchor != 0) anchors_[anchor] = node;
    if (node->kind == YamlNode::Kind::kNull && !stack_.empty() && stack_.back().key != nullptr) {
      // yaml-cpp gives the place of whatever comes next.
      node->line = stack_.back().key->line;
      node->column = stack_.back().key->column;
    }
    Attach(node, mark);
  }

  void Attach(const YamlNode* node, const YAML::Mark& mark) {
    if (stack_.empty()) {
      tree_->root_ = node;
      return;
    }
    OpenNode& parent = stack_.back();
    if (parent.node->kind == YamlNode::Kind::kList) {
      parent.node->items.push_back(node);
    } else if (parent.key == nullptr) {
      parent.key = node;
    } else {
      parent.node->entries.emplace_back(parent.key, node);
      parent.key = nullptr;
    }
    parent.node->nodes += node->nodes;  // no overflow: both are limited
    parent.node->height = std::max(parent.node->height, node->height + 1);
    if (parent.node->nodes > kMaxYamlNodes || tree_->nodes_.size() > kMaxYamlNodes) {
      throw Refuse(mark, StrCat("more than ", kMaxYamlNodes, " nodes, aliases resolved"));
    }
    if (static_cast<int>(stack_.size()) + node->height > kMaxYamlDepth) throw TooDeep(mark);
  }

  static YAML::ParserException TooDeep(const YAML::Mark& mark) {
    return Refuse(mark, StrCat("nested deeper than ", kMaxYamlDepth, " levels"));
  }

  YamlTree* const tree_;
  std::vector<OpenNode> stack_;
  absl::flat_hash_map<YAML::anchor_t, const YamlNode*> anchors_;
};

std::unique_ptr<YamlTree> YamlTree::Parse(std::string_view text, const std::string& file,
                                          DiagnosticList* diagnostics) {
  if (text.size() > kMaxYamlBytes) {
    diagnostics->Add(
        {.file = file, .message = StrCat("larger than ", kMaxYamlBytes >> 20, " MiB")});
    return nullptr;
  }
  if (std::optional<Diagnostic> bad = FindBadByte(text, file)) {
    diagnostics->Add(*std::move(bad));
    return nullptr;
  }
  auto tree = std::unique_ptr<YamlTree>(new YamlTree);
  YamlTreeBuilder builder(tree.get());
  try {
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& e) {
    const bool placed = !e.mark.is_null();
    const int line = placed ? e.mark.line + 1 : 0;
    const int column = placed ? e.mark.column + 1 : 0;
    diagnostics->Add({.file = file,
                      .line = line,
                      .column = column,
                      .message = StrCat("not YAML: ", e.msg,
                                        YamlAdvice(e.msg, text, line, column, builder.Opened()))});
    return nullptr;
  }
  if (tree->root_ == nullptr) {
    YamlNode* nothing = &tree->nodes_.emplace_back();
    nothing->line = nothing->column = 1;
    tree->root_ = nothing;
  }
  return tree;
}

}  // namespace pillion::config
