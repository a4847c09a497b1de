// bazel run //tests/faults -- --seed 7 --minutes 5
//
// Runs one fault campaign (campaign.h) and says what it found. Exit status 0: nothing was lost.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "tests/faults/campaign.h"

ABSL_FLAG(uint64_t, seed, 0, "repeats the choices of another campaign; 0: a new one");
ABSL_FLAG(double, minutes, 1, "how long things go wrong");
ABSL_FLAG(int, kills, 0, "instead of all that: kill the accepting sidecars so often");
ABSL_FLAG(std::vector<std::string>, faults, {}, "only these kinds, separated by commas");
ABSL_FLAG(std::string, directory, "",
          "for logs, stores and records; by default a new one in /tmp, kept if the campaign fails");

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("runs a fault campaign against a mesh of real processes");
  absl::ParseCommandLine(argc, argv);
  pillion::faults::CampaignOptions options;
  options.seed = absl::GetFlag(FLAGS_seed);
  if (options.seed == 0) options.seed = std::random_device()();
  options.duration = absl::Minutes(absl::GetFlag(FLAGS_minutes));
  options.kills = absl::GetFlag(FLAGS_kills);
  options.faults = absl::GetFlag(FLAGS_faults);
  options.directory = absl::GetFlag(FLAGS_directory);
  std::string made = "/tmp/pillion-faults-XXXXXX";
  if (options.directory.empty()) {
    if (mkdtemp(made.data()) == nullptr) {
      std::perror(made.c_str());
      return 1;
    }
    options.directory = made;
  } else {
    std::filesystem::create_directories(options.directory);
  }
  std::printf("seed %s, files in %s\n", absl::StrCat(options.seed).c_str(),
              options.directory.c_str());
  std::fflush(stdout);
  const pillion::faults::CampaignReport report = pillion::faults::RunCampaign(options);
  std::printf("%s", report.summary.c_str());
  if (report.passed()) {
    std::printf("nothing was lost\n");
    if (options.directory == made) std::filesystem::remove_all(made);
    return 0;
  }
  std::printf("%s", pillion::faults::Explain(options, report).c_str());
  return 1;
}
