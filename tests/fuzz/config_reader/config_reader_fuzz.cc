// Any bytes as a policy and as the two bootstraps. What is read must be printed as YAML that is
// read back as the same, and must pass the checker without its positions.

#include <google/protobuf/util/message_differencer.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/check.h"
#include "core/config/load.h"
#include "core/config/printer.h"
#include "pillion/config/v1/bootstrap.pb.h"
#include "pillion/config/v1/policy.pb.h"

namespace {

using google::protobuf::util::MessageDifferencer;
using pillion::config::CheckPolicy;
using pillion::config::LoadControlBootstrap;
using pillion::config::Loaded;
using pillion::config::LoadPolicy;
using pillion::config::LoadSidecarBootstrap;
using pillion::config::SourceFile;
using pillion::config::ToJson;
using pillion::config::ToYaml;
using pillion::config::v1::Policy;

// Aliases and defaults can make the printed form larger than what the reader takes.
constexpr size_t kMaxPrinted = 1 << 20;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const SourceFile file{"fuzz.yaml", std::string(reinterpret_cast<const char*>(data), size)};
  LoadSidecarBootstrap(file);
  LoadControlBootstrap(file);
  const Loaded<Policy> loaded = LoadPolicy({&file, 1});
  PILLION_CHECK((loaded.value == nullptr) == !loaded.errors.empty());
  if (loaded.value == nullptr) return 0;
  PILLION_CHECK(CheckPolicy(*loaded.value).empty());
  ToJson(*loaded.value);
  const SourceFile printed{"printed.yaml", ToYaml(*loaded.value)};
  if (printed.text.size() > kMaxPrinted) return 0;
  const Loaded<Policy> again = LoadPolicy({&printed, 1});
  PILLION_CHECK(again.value != nullptr);
  PILLION_CHECK(MessageDifferencer::Equals(*loaded.value, *again.value));
  return 0;
}
