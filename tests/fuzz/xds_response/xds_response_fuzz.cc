// Any bytes as a response of control. What a sidecar makes of it is a policy without mistakes, or
// nothing; and what it would keep on disk gives the same policy again.

#include <cstddef>
#include <cstdint>

#include "core/check.h"
#include "core/config/load.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/discovery/staged_policy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using pillion::discovery::StagedPolicy;
  StagedPolicy::Response response;
  if (!response.ParseFromArray(data, static_cast<int>(size))) return 0;
  StagedPolicy staged;
  const bool readable = staged.Take(response).ok();
  const auto policy = staged.Build();
  // What cannot be read keeps the policy back, unless the same response removes it.
  PILLION_CHECK(readable || !policy.ok() || response.removed_resources_size() > 0);
  if (!policy.ok()) return 0;
  PILLION_CHECK(pillion::config::CheckPolicy(**policy).empty());
  StagedPolicy again;
  PILLION_CHECK(again.Take(staged.Everything("v")).ok());
  const auto kept = again.Build();
  PILLION_CHECK(kept.ok());
  PILLION_CHECK((*kept)->SerializeAsString() == (*policy)->SerializeAsString());
  return 0;
}
