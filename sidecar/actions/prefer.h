// The Prefer header (RFC 7240), as far as Pillion acts on it.

#ifndef PILLION_SIDECAR_ACTIONS_PREFER_H_
#define PILLION_SIDECAR_ACTIONS_PREFER_H_

#include <optional>
#include <string_view>

#include "core/http/head.h"
#include "core/net/timer.h"

namespace pillion::sidecar {

struct Preferences {
  bool respond_async = false;         // section 4.1
  std::optional<net::Duration> wait;  // section 4.3; whole seconds, at most an hour
};

// Names are case-insensitive, the first of duplicates counts, unknown and malformed preferences are
// ignored (section 2).
Preferences ParsePrefer(const http::HeaderList& headers);
Preferences ParsePrefer(std::string_view value);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_PREFER_H_
