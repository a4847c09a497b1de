// One thing that goes wrong: begins, is seen to have its effect, and ends.

#ifndef PILLION_TESTS_FAULTS_FAULT_H_
#define PILLION_TESTS_FAULTS_FAULT_H_

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/faults/callers.h"
#include "tests/faults/mesh.h"

namespace pillion::faults {

// Used by the campaign's one thread. An error of Begin or End is one of the campaign, which fails.
class Fault {
 public:
  virtual ~Fault() = default;

  virtual std::string name() const = 0;
  // The program that it happens to. A program has one fault at a time.
  virtual const Program* subject() const = 0;
  virtual absl::Status Begin() = 0;
  // Whether its effect was observed: the process did die, an fsync did fail.
  virtual bool Seen() = 0;
  // Heals it.
  virtual absl::Status End() = 0;
};

using Random = std::mt19937_64;

// A kind of fault, by the name that --faults knows.
struct FaultKind {
  const char* name;
  // Of a program that chance chooses.
  std::unique_ptr<Fault> (*make)(Mesh& mesh, const Callers& callers, Random& random);
};
const std::vector<FaultKind>& FaultKinds();

}  // namespace pillion::faults

#endif  // PILLION_TESTS_FAULTS_FAULT_H_
