#include "tests/integration/harness/process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <string>

#include "tests/integration/harness/files.h"

namespace pillion::harness {
namespace {

using std::chrono::milliseconds;

Process::Options Shell(const std::string& script) { return {.arguments = {"sh", "-c", script}}; }

TEST(Process, TellsExitStatusAndBothOutputs) {
  const auto finished = RunToEnd(Shell("echo out; echo err >&2; exit 7"));
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_EQ(finished->status, ExitStatus::Code(7));
  EXPECT_EQ(finished->out, "out\n");
  EXPECT_NE(finished->output.find("err\n"), std::string::npos);
}

TEST(Process, SaysWhichProgramCannotBeRun) {
  const auto process = Process::Start({.arguments = {"/no/such/program"}});
  EXPECT_EQ(process.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(process.status().ToString().find("/no/such/program"), std::string::npos);
}

TEST(Process, RunsInItsDirectoryWithItsEnvironmentAndNoInput) {
  TempDir directory;
  setenv("HARNESS_KEPT", "kept", 1);
  setenv("HARNESS_CHANGED", "before", 1);
  auto options = Shell("cat; pwd; echo $HARNESS_KEPT $HARNESS_CHANGED");
  options.directory = directory.path();
  options.environment = {{"HARNESS_CHANGED", "after"}};
  const auto finished = RunToEnd(options);
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_EQ(finished->out, directory.path() + "\nkept after\n");
}

TEST(Process, WaitsForALineAndReturnsWhatTheGroupMatched) {
  auto process =
      Process::Start(Shell("echo starting; echo 'admin on 127.0.0.1:4711'; exec sleep 1000"));
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ((*process)->WaitForOutput("^admin on .*:([0-9]+)$").value(), "4711");
  EXPECT_EQ((*process)->WaitForOutput("start[a-z]*").value(), "starting");
  EXPECT_TRUE((*process)->Running());
}

TEST(Process, WaitsForOutputAfterAPlace) {
  TempDir directory;
  const std::string go = directory / "go";
  auto process = Process::Start(
      Shell("echo ready; until test -e " + go + "; do sleep 0.01; done; echo ready"));
  ASSERT_TRUE(process.ok()) << process.status();
  ASSERT_TRUE((*process)->WaitForOutput("ready").ok());
  const size_t after = (*process)->Output().size();
  EXPECT_EQ((*process)->WaitForOutput("ready", after, milliseconds(50)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  ASSERT_TRUE(WriteFileAtomically(go, "").ok());
  EXPECT_TRUE((*process)->WaitForOutput("ready", after).ok());
}

TEST(Process, StopsWaitingForOutputWhenTheProcessHasEnded) {
  auto process = Process::Start(Shell("echo cannot open port; exit 3"));
  ASSERT_TRUE(process.ok()) << process.status();
  const auto line = (*process)->WaitForOutput("listening");
  EXPECT_EQ(line.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(
      line.status().message(),
      "the process ended (exit status 3) without 'listening' in its output:\ncannot open port\n");
}

TEST(Process, CanBeSignalled) {
  auto process = Process::Start(
      Shell("trap 'echo draining; exit 5' TERM; echo up; while :; do sleep 0.01; done"));
  ASSERT_TRUE(process.ok()) << process.status();
  ASSERT_TRUE((*process)->WaitForOutput("up").ok());
  (*process)->Signal(SIGTERM);
  EXPECT_EQ((*process)->WaitForExit().value(), ExitStatus::Code(5));
  EXPECT_FALSE((*process)->Running());
  EXPECT_EQ((*process)->Output(), "up\ndraining\n");
}

TEST(Process, TellsWhichSignalKilledIt) {
  auto process = Process::Start(Shell("exec sleep 1000"));
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ((*process)->WaitForExit(milliseconds(1)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  (*process)->Signal(SIGKILL);
  EXPECT_EQ((*process)->WaitForExit().value(), ExitStatus::Signal(SIGKILL));
}

TEST(Process, TakesItsChildrenAlong) {
  pid_t child = 0;
  {
    auto process = Process::Start(Shell("sleep 1000 & echo child $!; wait"));
    ASSERT_TRUE(process.ok()) << process.status();
    child = std::stoi((*process)->WaitForOutput("child ([0-9]+)").value());
    ASSERT_EQ(kill(child, 0), 0);
  }
  // An orphan is a zombie until init has reaped it, which may take a moment.
  EXPECT_TRUE(Eventually([child] {
    const auto stat = ReadFile("/proc/" + std::to_string(child) + "/stat");
    return !stat.ok() || stat->find(") Z ") != std::string::npos;
  }));
}

TEST(Process, DoesNotWaitForAGrandchildThatKeepsTheOutputOpen) {
  auto process = Process::Start(Shell("setsid sleep 20 & echo started"));
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ((*process)->WaitForExit().value(), ExitStatus::Code(0));
  const auto before = std::chrono::steady_clock::now();
  process->reset();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
}

TEST(ResidentBytes, IsWhatTheKernelSaysOfAProcess) {
  EXPECT_GT(ResidentBytes(getpid()).value(), 1'000'000u);
  EXPECT_FALSE(ResidentBytes(-1).ok());
}

TEST(Eventually, IsTrueOnceTheConditionIsAndFalseAtTheDeadline) {
  int asked = 0;
  EXPECT_TRUE(Eventually([&] { return ++asked == 3; }));
  EXPECT_EQ(asked, 3);
  EXPECT_FALSE(Eventually([] { return false; }, milliseconds(1)));
}

}  // namespace
}  // namespace pillion::harness
