#include "core/config/load.h"

#include <utility>

#include "core/config/checker.h"
#include "core/config/defaults.h"
#include "core/config/doubts.h"
#include "core/config/place.h"
#include "core/config/reader.h"
#include "core/config/yaml_tree.h"
#include "pillion/config/v1/bootstrap.pb.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::config {
namespace {

// Reads `files` into one message. An empty file is a mistake unless `allow_empty`. `doubts` looks
// for what is no mistake but probably not meant.
template <typename Message>
Loaded<Message> Load(absl::Span<const SourceFile> files, bool allow_empty,
                     void (*doubts)(const Message&, const PlaceMap&, DiagnosticList*)) {
  auto message = std::make_unique<Message>();
  PlaceMap places;
  DiagnosticList errors;
  DiagnosticList warnings;
  CheckOptions options;
  for (const SourceFile& file : files) {
    const std::unique_ptr<YamlTree> tree = YamlTree::Parse(file.text, file.name, &errors);
    if (tree == nullptr) {
      options.check_references = false;
    } else if (!allow_empty || tree->root().kind != YamlNode::Kind::kNull) {
      ReadMessage(tree->root(), file.name, message.get(), &places, &errors);
    }
  }
  // A single file that is no YAML has nothing in it that could be missing.
  if (options.check_references || files.size() > 1)
    CheckMessage(*message, places, options, &errors, &warnings);
  Loaded<Message> loaded;
  if (errors.size() == 0) {
    if (doubts != nullptr) doubts(*message, places, &warnings);
    ApplyDefaults(message.get());
    loaded.value = std::move(message);
  }
  loaded.errors = errors.Take();
  loaded.warnings = warnings.Take();
  return loaded;
}

}  // namespace

Loaded<v1::Policy> LoadPolicy(absl::Span<const SourceFile> files) {
  return Load<v1::Policy>(files, /*allow_empty=*/true, FindDoubts);
}

Loaded<v1::SidecarBootstrap> LoadSidecarBootstrap(const SourceFile& file) {
  return Load<v1::SidecarBootstrap>(absl::MakeConstSpan(&file, 1), /*allow_empty=*/false, nullptr);
}

Loaded<v1::ControlBootstrap> LoadControlBootstrap(const SourceFile& file) {
  return Load<v1::ControlBootstrap>(absl::MakeConstSpan(&file, 1), /*allow_empty=*/false, nullptr);
}

std::vector<Diagnostic> CheckPolicy(const v1::Policy& policy) {
  DiagnosticList errors;
  DiagnosticList warnings;
  CheckMessage(policy, PlaceMap(), CheckOptions(), &errors, &warnings);
  return errors.Take();
}

}  // namespace pillion::config
