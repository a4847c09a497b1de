// Configuration files into checked messages: the front door of this folder.
//
//   auto sources = ReadSources({"policy/"});                   // sources.h
//   Loaded<v1::Policy> loaded = LoadPolicy(*sources);
//   if (loaded.value == nullptr) std::cerr << ToString(loaded.errors);
//
// Every mistake of every file is reported at once. No input crashes, hangs or exhausts memory; a
// mistake never comes as an exception.
//
// Threads: pure functions.
#ifndef PILLION_CORE_CONFIG_LOAD_H_
#define PILLION_CORE_CONFIG_LOAD_H_

#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "core/config/diagnostic.h"
#include "core/config/sources.h"

namespace pillion::config {

namespace v1 {
class ControlBootstrap;
class Policy;
class SidecarBootstrap;
}  // namespace v1

// A message without a mistake and with all defaults filled in; or none, and `errors` says why.
// `warnings` do not depend on that. Both are sorted by file and place.
template <typename Message>
struct Loaded {
  std::unique_ptr<Message> value;
  std::vector<Diagnostic> errors;
  std::vector<Diagnostic> warnings;
};

// The files as one policy: their lists are joined in the order of the files. A file may be empty.
Loaded<v1::Policy> LoadPolicy(absl::Span<const SourceFile> files);

Loaded<v1::SidecarBootstrap> LoadSidecarBootstrap(const SourceFile& file);
Loaded<v1::ControlBootstrap> LoadControlBootstrap(const SourceFile& file);

// The mistakes in a policy that was not read from files (control pushed it); empty if it is good.
// Call ApplyDefaults (defaults.h) on a good one before use.
std::vector<Diagnostic> CheckPolicy(const v1::Policy& policy);

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_LOAD_H_
