// A fault campaign: a mesh of real processes under load, in which things go wrong at seeded random
// times, and at the end the proof that nothing was lost, invented or reordered.

#ifndef PILLION_TESTS_FAULTS_CAMPAIGN_H_
#define PILLION_TESTS_FAULTS_CAMPAIGN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace pillion::faults {

struct CampaignOptions {
  uint64_t seed = 0;
  // How long things go wrong; healing and proving come on top of it.
  absl::Duration duration = absl::Minutes(1);
  // If not 0, web-1 and web-2 are killed so often, and `duration` and `faults` do not count.
  int kills = 0;
  std::vector<std::string> faults = {};  // kinds, by name; empty: all
  std::string directory;                 // exists; for logs, stores and records
};

struct CampaignReport {
  std::vector<std::string> broken;  // a line each; empty: the campaign was passed
  std::string summary;              // what was sent, and how many faults were seen
  std::string timeline;             // what went wrong when

  bool passed() const { return broken.empty(); }
};

// A campaign with fewer faults that were seen to have their effect proves nothing, and fails.
inline constexpr int kLeastFaults = 5;

CampaignReport RunCampaign(const CampaignOptions& options);

// Of a campaign that was not passed: what is broken, and all that is needed to look into it.
std::string Explain(const CampaignOptions& options, const CampaignReport& report);

}  // namespace pillion::faults

#endif  // PILLION_TESTS_FAULTS_CAMPAIGN_H_
