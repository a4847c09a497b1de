// What pillionctl says of command lines that are wrong, and of itself.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "control/cli/run_pillionctl.h"

namespace pillion::control {
namespace {

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

TEST(PillionctlUsage, SaysWhatIsWrongAndWhatThereIs) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{},
       "which command? 'pillionctl' is followed by one of validate, explain, status, deliveries"},
      {{"stats"},
       "there is no command 'pillionctl stats'; did you mean 'status'? There are validate, "
       "explain, "
       "status, deliveries"},
      {{"burn"},
       "there is no command 'pillionctl burn'; there are validate, explain, status, deliveries"},
      {{"deliveries"},
       "which command? 'pillionctl deliveries' is followed by one of list, show, replay, cancel, "
       "drop, export"},
      {{"deliveries", "--sidecar", "127.0.0.1:1", "list"},
       "which command? 'pillionctl deliveries' is followed by one of list, show, replay, cancel, "
       "drop, export"},
      {{"deliveries", "lst"},
       "there is no command 'pillionctl deliveries lst'; did you mean 'list'? There are list, "
       "show, "
       "replay, cancel, drop, export"},
      {{"deliveries", "list", "--stat", "failed"},
       "there is no option '--stat'; did you mean '--state'?"},
      {{"deliveries", "list", "--stat=failed"},
       "there is no option '--stat'; did you mean '--state'?"},
      {{"deliveries", "list", "all"}, "The following argument was not expected: all"},
      {{"deliveries", "list", "--state", "faild"},
       "--state: 'faild' is not one of pending, running, succeeded, failed, canceled, expired; did "
       "you mean 'failed'?"},
      {{"deliveries", "list", "--reason", "odd"},
       "--reason: 'odd' is not one of rejected, retries_exhausted"},
      {{"deliveries", "list", "--limit", "0"},
       "--limit: '0' is not a whole number from 1 to 1000000"},
      {{"deliveries", "list", "--limit", "-1"},
       "--limit: '-1' is not a whole number from 1 to 1000000"},
      {{"deliveries", "list", "--limit", "many"},
       "--limit: 'many' is not a whole number from 1 to 1000000"},
      {{"deliveries", "list", "--last-status", "1000"},
       "--last-status: '1000' is not a whole number from 0 to 999"},
      {{"deliveries", "drop", "--created-before", "yesterday"},
       "--created-before: 'yesterday' is not a time such as 2026-01-31T12:00:00Z"},
      {{"deliveries", "cancel", "--subscription", ""},
       "--subscription: it is empty; leave the option out to match everything"},
      {{"deliveries", "cancel", "--topic", "a", "--route="}, "--route: 1 required TEXT missing"},
      {{"deliveries", "replay"},
       "replay: which ones? Give either IDs, or a filter such as --state failed, or --all"},
      {{"deliveries", "replay", "ID", "--all"},
       "replay: which ones? Give either IDs, or a filter such as --state failed, or --all"},
      {{"deliveries", "show"}, "ID is required"},
  };
  for (const auto& [words, line] : cases) {
    const Finished finished = RunPillionctl(words, TestDirectory());
    EXPECT_EQ(FirstLine(finished.err), line);
    EXPECT_EQ(finished.out, "");
    EXPECT_EQ(finished.status, 64);
  }
}

TEST(PillionctlUsage, TellsItsVersion) {
  const Finished finished = RunPillionctl({"--version"}, TestDirectory());
  EXPECT_EQ(finished.out.substr(0, 11), "pillionctl ");
  EXPECT_EQ(finished.out.find_first_not_of("0123456789.", 11), finished.out.size() - 1);
  EXPECT_EQ(finished.status, 0);
}

TEST(PillionctlUsage, HelpTellsWhichOnesAChangeIsForAndItsExitStatus) {
  for (const auto& [verb, states] : std::vector<std::pair<std::string, std::string>>{
           {"replay", "failed or expired;\n--state canceled"},
           {"cancel", "pending or running."},
           {"drop", "failed, expired or canceled;\n--state succeeded"}}) {
    const Finished finished = RunPillionctl({"deliveries", verb, "--help"}, TestDirectory());
    EXPECT_EQ(finished.status, 0);
    for (const std::string& text : {std::string("Which ones: "), "mean those that are " + states,
                                    std::string("Exit status: 0, ")}) {
      EXPECT_NE(finished.out.find(text), std::string::npos) << text << "\n" << finished.out;
    }
  }
}

}  // namespace
}  // namespace pillion::control
