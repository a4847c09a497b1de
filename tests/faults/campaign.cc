#include "tests/faults/campaign.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "tests/faults/callers.h"
#include "tests/faults/fault.h"
#include "tests/faults/mesh.h"
#include "tests/faults/proof.h"
#include "tests/faults/record.h"

namespace pillion::faults {
namespace {

// The campaign looks around this often.
constexpr auto kTick = std::chrono::milliseconds(20);
// Without progress for so many ticks something hangs. Ticks, not time: a machine that pauses the
// campaign pauses them, too.
constexpr int kTicksOfPatience = 30'000 / 20;
// A fault lasts between these, and is given more until its effect is seen.
constexpr int kShortestTicks = 2;
constexpr int kLongestTicks = 100;
constexpr int kMostTicks = 400;
// So many at a time.
constexpr size_t kMostFaults = 2;
// After everything was healed, each web must still accept so many calls.
constexpr uint64_t kLastCalls = 25;

class Campaign {
 public:
  explicit Campaign(const CampaignOptions& options)
      : options_(options), random_(options.seed), mesh_(options.directory) {}

  CampaignReport Run() {
    absl::Status status = mesh_.Start();
    if (status.ok()) {
      callers_.emplace(mesh_, options_.seed + 1);
      status = options_.kills > 0 ? KillAgainAndAgain() : GoWrong();
      if (status.ok()) status = AcceptMore(kLastCalls);
      callers_->Stop();
      if (status.ok()) status = AwaitQuiet();
      if (status.ok()) status = Prove();
    }
    if (!status.ok()) report_.broken.push_back(std::string(status.message()));
    if (seen_ < kLeastFaults) {
      report_.broken.push_back(absl::StrCat("only ", seen_, " faults were seen to have an effect; ",
                                            kLeastFaults, " are the least that proves anything"));
    }
    mesh_.SaveLogs();
    report_.summary = Summary();
    return std::move(report_);
  }

 private:
  struct Active {
    std::unique_ptr<Fault> fault;
    int ticks_left = 0;
    int ticks = 0;
    bool seen = false;
  };

  int Between(int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(random_);
  }

  void Note(const std::string& what) {
    absl::StrAppendFormat(&report_.timeline, "%9.3f %s\n",
                          absl::ToDoubleSeconds(absl::Now() - began_), what);
  }

  // --- Going wrong ---

  absl::Status GoWrong() {
    std::vector<const FaultKind*> kinds;
    for (const FaultKind& kind : FaultKinds()) {
      const auto& names = options_.faults;
      if (names.empty() || std::find(names.begin(), names.end(), kind.name) != names.end()) {
        kinds.push_back(&kind);
      }
    }
    if (kinds.empty()) return absl::InvalidArgumentError("no fault has such a name");
    const absl::Time end = absl::Now() + options_.duration;
    // A busy machine may need longer for what counts.
    const absl::Time last_end = end + 4 * options_.duration;
    absl::Status status;
    int ticks_to_next = 0;
    while (status.ok() && absl::Now() < (seen_ < kLeastFaults ? last_end : end)) {
      if (--ticks_to_next <= 0 && active_.size() < kMostFaults) {
        ticks_to_next = Between(1, kLongestTicks / 2);
        const FaultKind& kind =
            *kinds[static_cast<size_t>(Between(0, static_cast<int>(kinds.size()) - 1))];
        status = Begin(kind.make(mesh_, *callers_, random_));
      }
      if (status.ok()) status = Tick();
      if (status.ok())
        status = EndThose([](const Active& active) {
          return active.ticks_left <= 0 && (active.seen || active.ticks >= kMostTicks);
        });
    }
    const absl::Status healed = EndThose([](const Active&) { return true; });
    return status.ok() ? healed : status;
  }

  absl::Status Begin(std::unique_ptr<Fault> fault) {
    for (const Active& active : active_) {
      if (active.fault->subject() == fault->subject()) return absl::OkStatus();
    }
    Note(absl::StrCat("begins: ", fault->name()));
    const absl::Status begun = fault->Begin();
    active_.push_back({std::move(fault), Between(kShortestTicks, kLongestTicks)});
    return begun;
  }

  template <typename Condition>
  absl::Status EndThose(Condition condition) {
    absl::Status status;
    for (Active& active : active_) {
      if (!status.ok() || !condition(active)) continue;
      active.seen = active.seen || active.fault->Seen();
      status = active.fault->End();
      Note(absl::StrCat("ends:   ", active.fault->name(), active.seen ? "" : ", without effect"));
      if (active.seen) ++seen_kinds_[active.fault->name()];
      seen_ += active.seen;
      active.fault.reset();
    }
    std::erase_if(active_, [](const Active& active) { return active.fault == nullptr; });
    return status;
  }

  absl::Status KillAgainAndAgain() {
    for (int i = 0; i < options_.kills; ++i) {
      Web& web = *mesh_.webs()[static_cast<size_t>(Between(0, 1))];
      const size_t index = &web == mesh_.webs()[0].get() ? 0 : 1;
      const uint64_t goal = callers_->accepted_by(index) + static_cast<uint64_t>(Between(1, 80));
      while (callers_->accepted_by(index) < goal) {
        if (absl::Status going = Tick(); !going.ok()) return going;
      }
      absl::Status status = web.program.Kill();
      Note(absl::StrCat("SIGKILL of ", web.program.name()));
      if (status.ok()) status = web.program.Start();
      if (!status.ok()) return status;
      ++seen_;
      ++seen_kinds_[absl::StrCat("SIGKILL of ", web.program.name())];
    }
    return absl::OkStatus();
  }

  // Waits a moment. Fails if nothing has been accepted or received for too long.
  absl::Status Tick() {
    std::this_thread::sleep_for(kTick);
    for (Active& active : active_) {
      --active.ticks_left;
      ++active.ticks;
      active.seen = active.seen || active.fault->Seen();
    }
    const uint64_t progress = Progress();
    ticks_without_progress_ = progress == progress_ ? ticks_without_progress_ + 1 : 0;
    progress_ = progress;
    if (ticks_without_progress_ < kTicksOfPatience) return absl::OkStatus();
    return absl::DeadlineExceededError(
        absl::StrCat("no progress for 30 s: nothing was accepted, nothing received\n", State()));
  }

  // Grows while anything goes on.
  uint64_t Progress() {
    uint64_t progress = callers_->accepted();
    for (const auto& receiver : mesh_.receivers()) progress += SizeOfFile(receiver->record);
    return progress;
  }

  static uint64_t SizeOfFile(const std::string& path) {
    struct stat status = {};
    return stat(path.c_str(), &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
  }

  // What hangs, for a person.
  std::string State() {
    std::string state;
    for (const Active& active : active_) {
      absl::StrAppend(&state, "under way: ", active.fault->name(), "\n");
    }
    for (size_t i = 0; i < mesh_.webs().size(); ++i) {
      absl::StrAppend(&state, mesh_.Describe(i), "\n");
    }
    for (Program* program : mesh_.programs()) {
      const std::string output = program->Output();
      absl::StrAppend(&state, "--- ", program->name(), program->running() ? "" : " (does not run)",
                      "\n", output.substr(output.size() - std::min<size_t>(output.size(), 2000)));
    }
    return state;
  }

  // --- Afterwards ---

  absl::Status AcceptMore(uint64_t count) {
    std::vector<uint64_t> goals;
    for (size_t i = 0; i < mesh_.webs().size(); ++i) {
      goals.push_back(callers_->accepted_by(i) + count);
    }
    for (size_t i = 0; i < goals.size(); ++i) {
      while (callers_->accepted_by(i) < goals[i]) {
        if (absl::Status going = Tick(); !going.ok()) return going;
      }
    }
    return absl::OkStatus();
  }

  absl::Status AwaitQuiet() {
    Note("healed; no more calls");
    while (true) {
      bool quiet = true;
      for (size_t i = 0; quiet && i < mesh_.webs().size(); ++i) {
        const absl::StatusOr<int64_t> unfinished = mesh_.Unfinished(i);
        quiet = unfinished.ok() && *unfinished == 0;
      }
      if (quiet) return absl::OkStatus();
      if (absl::Status going = Tick(); !going.ok()) return going;
    }
  }

  absl::Status Prove() {
    Note("quiet");
    Record record;
    record.calls = callers_->calls();
    for (const auto& receiver : mesh_.receivers()) {
      absl::StatusOr<std::vector<Reception>> receptions = ReadReceptions(receiver->record);
      if (!receptions.ok()) return receptions.status();
      record.receptions.insert(record.receptions.end(), receptions->begin(), receptions->end());
    }
    for (size_t i = 0; i < mesh_.webs().size(); ++i) {
      absl::StatusOr<SidecarRecord> sidecar = mesh_.Close(i);
      if (!sidecar.ok()) return sidecar.status();
      record.sidecars.push_back(*std::move(sidecar));
    }
    receptions_ = record.receptions.size();
    for (const SidecarRecord& sidecar : record.sidecars) {
      for (const Delivery& delivery : sidecar.deliveries) ++ends_[delivery.state];
    }
    report_.broken = FindBrokenPromises(record);
    return absl::OkStatus();
  }

  std::string Summary() const {
    std::map<Call::Outcome, int> outcomes;
    if (callers_) {
      for (const Call& call : callers_->calls()) ++outcomes[call.outcome];
    }
    std::string text = absl::StrCat(
        "calls: ", outcomes[Call::Outcome::kAccepted], " accepted, ",
        outcomes[Call::Outcome::kForwarded], " forwarded, ", outcomes[Call::Outcome::kRefused],
        " refused, ", outcomes[Call::Outcome::kUnknown], " without an answer; received ",
        receptions_, " requests; deliveries:");
    for (const auto& [state, count] : ends_) absl::StrAppend(&text, " ", count, " ", state);
    absl::StrAppend(&text, "\nfaults: ", seen_, " seen\n");
    for (const auto& [name, count] : seen_kinds_) {
      absl::StrAppend(&text, "  ", count, " x ", name, "\n");
    }
    return text;
  }

  const CampaignOptions options_;
  const absl::Time began_ = absl::Now();
  Random random_;
  Mesh mesh_;
  std::optional<Callers> callers_;
  std::vector<Active> active_;
  std::map<std::string, int> seen_kinds_;
  int seen_ = 0;
  uint64_t progress_ = 0;
  int ticks_without_progress_ = 0;
  size_t receptions_ = 0;
  std::map<std::string, int> ends_;
  CampaignReport report_;
};

}  // namespace

CampaignReport RunCampaign(const CampaignOptions& options) { return Campaign(options).Run(); }

std::string Explain(const CampaignOptions& options, const CampaignReport& report) {
  constexpr size_t kShown = 50;
  std::string text = absl::StrCat("what went wrong when, in seconds:\n", report.timeline);
  for (size_t i = 0; i < std::min(kShown, report.broken.size()); ++i) {
    absl::StrAppend(&text, "BROKEN: ", report.broken[i], "\n");
  }
  if (report.broken.size() > kShown) {
    absl::StrAppend(&text, "and ", report.broken.size() - kShown, " more\n");
  }
  absl::StrAppend(&text, "logs, stores and records: ", options.directory,
                  "\nthe same choices again: bazel run //tests/faults -- --seed ", options.seed);
  if (options.kills > 0) {
    absl::StrAppend(&text, " --kills ", options.kills);
  } else {
    absl::StrAppend(&text, " --minutes ", absl::ToDoubleMinutes(options.duration));
    if (!options.faults.empty()) {
      absl::StrAppend(&text, " --faults ", absl::StrJoin(options.faults, ","));
    }
  }
  return text + "\n";
}

}  // namespace pillion::faults
