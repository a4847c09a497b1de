#include "sidecar/actions/attempt_spec.h"

namespace pillion::sidecar {

store::v1::AttemptSpec DecodeAttemptSpec(const std::string& bytes) {
  store::v1::AttemptSpec spec;
  if (!spec.ParseFromString(bytes)) spec.Clear();
  return spec;
}

}  // namespace pillion::sidecar
