// The short form of the fault campaign. On failure its files are this test's undeclared outputs.
#include "tests/faults/campaign.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace pillion::faults {
namespace {

CampaignOptions Options(const std::string& name) {
  const char* kept = std::getenv("TEST_UNDECLARED_OUTPUTS_DIR");
  CampaignOptions options;
  options.seed = std::random_device()();
  options.directory = absl::StrCat(kept != nullptr ? kept : std::getenv("TEST_TMPDIR"), "/", name);
  std::filesystem::create_directories(options.directory);
  return options;
}

void ExpectPassed(const CampaignOptions& options) {
  const CampaignReport report = RunCampaign(options);
  EXPECT_TRUE(report.passed()) << Explain(options, report) << report.summary;
  std::printf("%s", report.summary.c_str());
  if (report.passed()) std::filesystem::remove_all(options.directory);
}

TEST(Campaign, LosesInventsAndReordersNothing) {
  CampaignOptions options = Options("everything");
  options.duration = absl::Seconds(40);
  ExpectPassed(options);
}

TEST(Campaign, ThatTroublesNobodyFailsByItself) {
  CampaignOptions options = Options("nothing");
  options.duration = absl::ZeroDuration();
  const CampaignReport report = RunCampaign(options);
  ASSERT_EQ(report.broken.size(), 1u) << Explain(options, report);
  EXPECT_TRUE(absl::StrContains(report.broken[0], "only 0 faults were seen"));
  std::filesystem::remove_all(options.directory);
}

}  // namespace
}  // namespace pillion::faults
