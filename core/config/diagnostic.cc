#include "core/config/diagnostic.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/strings.h"

namespace pillion::config {

std::string Diagnostic::ToString() const {
  std::string out = file;
  if (line > 0) StrAppend(&out, ":", line, ":", column);
  if (!out.empty()) out += ": ";
  if (!path.empty()) StrAppend(&out, path, ": ");
  return out + message;
}

std::string ToString(absl::Span<const Diagnostic> diagnostics) {
  std::string out;
  for (const Diagnostic& diagnostic : diagnostics) StrAppend(&out, diagnostic.ToString(), "\n");
  return out;
}

void DiagnosticList::Add(Diagnostic diagnostic) {
  if (kept_.size() < kMaxKept) {
    kept_.push_back(std::move(diagnostic));
  } else {
    ++dropped_;
  }
}

std::vector<Diagnostic> DiagnosticList::Take() {
  std::stable_sort(kept_.begin(), kept_.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
  });
  if (dropped_ > 0) {
    kept_.push_back(Diagnostic{.message = StrCat(dropped_, " further mistakes are not shown")});
  }
  dropped_ = 0;
  return std::exchange(kept_, {});
}

}  // namespace pillion::config
