// What a campaign writes down: what was sent and what became of it, what arrived, and what the
// sidecars' stores say at the end.

#ifndef PILLION_TESTS_FAULTS_RECORD_H_
#define PILLION_TESTS_FAULTS_RECORD_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace pillion::faults {

// The paths that are called, of which each has its route; the last one changes its mode.
inline constexpr char kAsyncPath[] = "/async";
inline constexpr char kPublishPath[] = "/publish";
inline constexpr char kChangingPath[] = "/changing";

// The paths of the subscriptions: every message goes to each.
inline constexpr char kOrderedPath[] = "/ordered";      // order_by_key
inline constexpr char kPatientPath[] = "/patient";      // is retried for as long as it takes
inline constexpr char kImpatientPath[] = "/impatient";  // is soon a dead letter
inline constexpr const char* kSubscriptionPaths[] = {kOrderedPath, kPatientPath, kImpatientPath};

// Receivers refuse these for good: they become dead letters, and their key goes on without them.
constexpr bool IsPoison(uint64_t number) { return number % 61 == 7; }

// One call. Its body begins with its number, which no other call has.
struct Call {
  enum class Outcome {
    kAccepted,   // 202: it is a promise
    kForwarded,  // 200 from the receiver
    kRefused,    // told that nothing will come of it
    kUnknown,    // no answer, or one that leaves open whether it was stored or received
  };

  uint64_t number = 0;
  std::string path;
  std::string key;
  size_t sidecar = 0;  // which one was called
  int start = 0;       // which of its starts it was when the call was made
  int end_start = 0;   // and when it was answered
  Outcome outcome = Outcome::kUnknown;
  bool is_message = false;  // accepted as a message, not as an operation
  std::string id;           // of the operation or message
  std::string detail;       // of what was not accepted: status and body
};

// One request that a receiver has read, in the order of reading.
struct Reception {
  std::string path;
  uint64_t number = 0;
};
// Of a receiver's record: a line PATH NUMBER each. A last line without its end is left out.
absl::StatusOr<std::vector<Reception>> ReadReceptions(const std::string& file);

// One delivery as a sidecar's admin listener shows it.
struct Delivery {
  std::string message;  // the id of its operation or message
  std::string target;   // "route/..." or "subscription/NAME"
  std::string state;
  std::string reason;
  std::string error;
  int last_status = 0;
};

// What a sidecar's store holds after its end.
struct StoreTotals {
  std::string integrity;                  // the answer to PRAGMA integrity_check
  std::vector<uint64_t> numbers;          // of its messages, by their bodies
  std::map<std::string, int64_t> states;  // how many deliveries are in each
  int64_t backlog = 0;                    // as the targets have it
  int64_t backlog_bytes = 0;
};

// A sidecar at the end of the campaign.
struct SidecarRecord {
  std::string name;
  int start = 0;  // its last
  std::vector<Delivery> deliveries;
  std::map<std::string, double> metrics;  // by name and labels, as the page has them
  StoreTotals store;
};

struct Record {
  std::vector<Call> calls;  // those of one key in the order in which they were made
  std::vector<Reception> receptions;
  std::vector<SidecarRecord> sidecars;
};

}  // namespace pillion::faults

#endif  // PILLION_TESTS_FAULTS_RECORD_H_
