// What is wrong with a configuration, and where.
//
// Threads: plain values.
#ifndef PILLION_CORE_CONFIG_DIAGNOSTIC_H_
#define PILLION_CORE_CONFIG_DIAGNOSTIC_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace pillion::config {

// One mistake, or one warning.
struct Diagnostic {
  std::string file =
      "";          // as the caller named it; "" if there is none (a policy that control pushed)
  int line = 0;    // from 1; 0: the file as a whole
  int column = 0;  // from 1
  std::string path =
      "";  // virtual_hosts[0].routes[2].match; indices count within the file; may be ""
  std::string message = "";  // lower case, without a full stop

  // "file:line:column: path: message", without the parts that are not there.
  std::string ToString() const;
};

// One diagnostic a line, each ending in '\n'.
std::string ToString(absl::Span<const Diagnostic> diagnostics);

// Collects diagnostics. Keeps the first kMaxKept only, as a broken file can have a mistake in every
// line.
class DiagnosticList {
 public:
  static constexpr size_t kMaxKept = 1000;

  void Add(Diagnostic diagnostic);
  size_t size() const { return kept_.size() + dropped_; }

  // What was collected, sorted by file and place, with a last line about what was not kept.
  std::vector<Diagnostic> Take();

 private:
  std::vector<Diagnostic> kept_;
  size_t dropped_ = 0;
};

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_DIAGNOSTIC_H_
