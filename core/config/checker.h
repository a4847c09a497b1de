// Whether a configuration message makes sense: every rule of annotations.proto, and references.
//
// Threads: pure functions.
#ifndef PILLION_CORE_CONFIG_CHECKER_H_
#define PILLION_CORE_CONFIG_CHECKER_H_

#include "core/config/diagnostic.h"
#include "core/config/place.h"

namespace pillion::config {

struct CheckOptions {
  // False: names that are not defined are not reported, because a file that may define them is
  // unreadable.
  bool check_references = true;
};

// Adds every mistake in `message` to `errors` and everything doubtful to `warnings`. `places` says
// where things were written, and what was already reported as bad while reading; it is empty for a
// message that was not read from a file. Defaults need not be applied.
void CheckMessage(const google::protobuf::Message& message, const PlaceMap& places,
                  const CheckOptions& options, DiagnosticList* errors, DiagnosticList* warnings);

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_CHECKER_H_
