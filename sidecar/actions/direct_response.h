// `direct_response`: the policy's own answer, without any upstream.

#ifndef PILLION_SIDECAR_ACTIONS_DIRECT_RESPONSE_H_
#define PILLION_SIDECAR_ACTIONS_DIRECT_RESPONSE_H_

#include <memory>

#include "sidecar/actions/action.h"

namespace pillion::config::v1 {
class DirectResponseAction;
}

namespace pillion::sidecar {

std::unique_ptr<const Action> CompileDirectResponse(const config::v1::DirectResponseAction& config);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_DIRECT_RESPONSE_H_
