#include "tests/faults/fault.h"

#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/faults/log_tear.h"
#include "tests/integration/harness/deadline.h"

namespace pillion::faults {
namespace {

template <typename T>
T& OneOf(std::vector<T>& things, Random& random) {
  return things[std::uniform_int_distribution<size_t>(0, things.size() - 1)(random)];
}

// SIGKILL, and later another start on the same files.
class Killed : public Fault {
 public:
  explicit Killed(Program& program) : program_(program) {}

  std::string name() const override { return "SIGKILL of " + program_.name(); }
  const Program* subject() const override { return &program_; }
  absl::Status Begin() override { return program_.Kill(); }
  bool Seen() override { return !program_.running(); }
  absl::Status End() override { return program_.Start(); }

 private:
  Program& program_;
};

// SIGSTOP, and later SIGCONT.
class Stopped : public Fault {
 public:
  explicit Stopped(Program& program) : program_(program) {}

  std::string name() const override { return "SIGSTOP of " + program_.name(); }
  const Program* subject() const override { return &program_; }
  absl::Status Begin() override {
    program_.Signal(SIGSTOP);
    return absl::OkStatus();
  }
  bool Seen() override { return program_.stopped(); }
  absl::Status End() override {
    program_.Signal(SIGCONT);
    return absl::OkStatus();
  }

 private:
  Program& program_;
};

// A receiver that does not answer as it should.
class Misbehaving : public Fault {
 public:
  Misbehaving(Receiver& receiver, Misbehavior misbehavior)
      : receiver_(receiver), misbehavior_(misbehavior) {}

  std::string name() const override {
    constexpr const char* kNames[] = {"", "answers with 500", "hangs", "resets in mid-answer"};
    return absl::StrCat(receiver_.program.name(), " ", kNames[static_cast<int>(misbehavior_)]);
  }
  const Program* subject() const override { return &receiver_.program; }
  absl::Status Begin() override {
    before_ = receiver_.faults->misbehaved;
    receiver_.faults->misbehavior = misbehavior_;
    return absl::OkStatus();
  }
  bool Seen() override { return receiver_.faults->misbehaved > before_; }
  absl::Status End() override {
    receiver_.faults->misbehavior = Misbehavior::kNone;
    return absl::OkStatus();
  }

 private:
  Receiver& receiver_;
  const Misbehavior misbehavior_;
  uint64_t before_ = 0;
};

// No file of a sidecar may grow or be written beyond a few bytes: a full disk, as far as it can
// tell.
class DiskFull : public Fault {
 public:
  DiskFull(Mesh& mesh, size_t web, const Callers& callers, rlim_t limit)
      : program_(mesh.webs()[web]->program), web_(web), callers_(callers), limit_(limit) {}

  std::string name() const override { return "full disk of " + program_.name(); }
  const Program* subject() const override { return &program_; }
  absl::Status Begin() override {
    before_ = callers_.told_of_full_disk(web_);
    return Limit(limit_);
  }
  bool Seen() override { return callers_.told_of_full_disk(web_) > before_; }
  absl::Status End() override { return Limit(RLIM_INFINITY); }

 private:
  absl::Status Limit(rlim_t bytes) const {
    rlimit limit{};
    if (prlimit(program_.pid(), RLIMIT_FSIZE, nullptr, &limit) != 0) {
      return absl::ErrnoToStatus(errno, "prlimit");
    }
    limit.rlim_cur = std::min(bytes, limit.rlim_max);
    if (prlimit(program_.pid(), RLIMIT_FSIZE, &limit, nullptr) != 0) {
      return absl::ErrnoToStatus(errno, "prlimit");
    }
    return absl::OkStatus();
  }

  Program& program_;
  const size_t web_;
  const Callers& callers_;
  const rlim_t limit_;
  uint64_t before_ = 0;
};

class FsyncFails : public Fault {
 public:
  FsyncFails(Mesh& mesh, size_t web, const Callers& callers)
      : web_(*mesh.webs()[web]), index_(web), callers_(callers) {}

  std::string name() const override { return "failing fsyncs of " + web_.program.name(); }
  const Program* subject() const override { return &web_.program; }
  absl::Status Begin() override {
    failed_before_ = web_.faults->fsyncs_failed;
    told_before_ = callers_.told_of_io_errors(index_);
    web_.faults->fsync = FsyncMode::kFail;
    return absl::OkStatus();
  }
  bool Seen() override {
    return web_.faults->fsyncs_failed > failed_before_ &&
           callers_.told_of_io_errors(index_) > told_before_;
  }
  absl::Status End() override {
    web_.faults->fsync = FsyncMode::kNormal;
    return absl::OkStatus();
  }

 private:
  Web& web_;
  const size_t index_;
  const Callers& callers_;
  uint64_t failed_before_ = 0;
  uint64_t told_before_ = 0;
};

// What the journal has cannot be settled for a while; then it is killed, and finds what SQLite has
// of that.
class SettlingFails : public Fault {
 public:
  explicit SettlingFails(Web& web) : web_(web) {}

  std::string name() const override { return "failing to settle of " + web_.program.name(); }
  const Program* subject() const override { return &web_.program; }
  absl::Status Begin() override {
    before_ = web_.faults->fsyncs_failed;
    web_.faults->fsync_of_wal_only = true;
    web_.faults->fsync = FsyncMode::kFail;
    return absl::OkStatus();
  }
  bool Seen() override { return web_.faults->fsyncs_failed > before_; }
  absl::Status End() override {
    const absl::Status killed = web_.program.Kill();
    web_.faults->fsync = FsyncMode::kNormal;
    web_.faults->fsync_of_wal_only = false;
    return killed.ok() ? web_.program.Start() : killed;
  }

 private:
  Web& web_;
  uint64_t before_ = 0;
};

class FsyncSlow : public Fault {
 public:
  FsyncSlow(Web& web, int milliseconds) : web_(web), milliseconds_(milliseconds) {}

  std::string name() const override { return "slow fsyncs of " + web_.program.name(); }
  const Program* subject() const override { return &web_.program; }
  absl::Status Begin() override {
    before_ = web_.faults->fsyncs_slowed;
    web_.faults->fsync_delay_ms = milliseconds_;
    web_.faults->fsync = FsyncMode::kSlow;
    return absl::OkStatus();
  }
  bool Seen() override { return web_.faults->fsyncs_slowed > before_; }
  absl::Status End() override {
    web_.faults->fsync = FsyncMode::kNormal;
    return absl::OkStatus();
  }

 private:
  Web& web_;
  const int milliseconds_;
  uint64_t before_ = 0;
};

// A power cut in the middle of a commit: killed while an fsync is awaited, and of what that would
// have confirmed something is torn.
class PowerCut : public Fault {
 public:
  PowerCut(Web& web, Random& random) : web_(web), random_(random) {}

  std::string name() const override { return "power cut of " + web_.program.name(); }
  const Program* subject() const override { return &web_.program; }
  absl::Status Begin() override {
    SystemFaults& faults = *web_.faults.operator->();
    faults.fsync_delay_ms = 50;
    faults.fsync = FsyncMode::kSlow;
    harness::Eventually([&] { return faults.write_ahead_log.end != 0 || faults.journal.end != 0; },
                        std::chrono::seconds(5));
    const absl::Status killed = web_.program.Kill();
    faults.fsync = FsyncMode::kNormal;
    if (!killed.ok()) return killed;
    if (absl::Status torn = Tear("/deliveries.db-wal", faults.write_ahead_log); !torn.ok()) {
      return torn;
    }
    return Tear("/deliveries.journal", faults.journal);
  }
  bool Seen() override { return torn_; }
  absl::Status End() override { return web_.program.Start(); }

 private:
  absl::Status Tear(const char* file, Unsynced& unsynced) {
    const absl::StatusOr<std::string> torn =
        TearUnsynced(web_.store + file, unsynced.begin, unsynced.end, random_);
    if (!torn.ok()) return torn.status();
    unsynced.end = 0;
    torn_ = torn_ || !torn->empty();
    return absl::OkStatus();
  }

  Web& web_;
  Random& random_;
  bool torn_ = false;
};

// The time of day of a sidecar is wrong for a while, and then right again.
class ClockJump : public Fault {
 public:
  ClockJump(Web& web, std::chrono::nanoseconds offset) : web_(web), offset_(offset) {}

  std::string name() const override {
    return absl::StrCat("clock of ", web_.program.name(), " jumps ",
                        offset_.count() > 0 ? "ahead" : "back");
  }
  const Program* subject() const override { return &web_.program; }
  absl::Status Begin() override {
    before_ = web_.faults->clocks_shifted;
    web_.faults->clock_offset_ns = offset_.count();
    return absl::OkStatus();
  }
  bool Seen() override { return web_.faults->clocks_shifted > before_; }
  absl::Status End() override {
    web_.faults->clock_offset_ns = 0;
    return absl::OkStatus();
  }

 private:
  Web& web_;
  const std::chrono::nanoseconds offset_;
  uint64_t before_ = 0;
};

// An edit of the policy gives a route another mode. It stays.
class PolicyEdit : public Fault {
 public:
  PolicyEdit(Mesh& mesh, Mesh::Mode mode) : mesh_(mesh), mode_(mode) {}

  std::string name() const override { return "policy edit"; }
  const Program* subject() const override { return &mesh_.control(); }
  absl::Status Begin() override { return mesh_.EditPolicy(mode_); }
  bool Seen() override {
    for (size_t i = 0; i < mesh_.webs().size(); ++i) {
      const Program& web = mesh_.webs()[i]->program;
      // One that cannot answer is not asked.
      if (!web.running() || web.stopped() || !mesh_.RunsPolicy(i, mode_)) return false;
    }
    return true;
  }
  absl::Status End() override { return absl::OkStatus(); }

 private:
  Mesh& mesh_;
  const Mesh::Mode mode_;
};

template <Misbehavior kMisbehavior>
std::unique_ptr<Fault> MakeMisbehaving(Mesh& mesh, const Callers&, Random& random) {
  return std::make_unique<Misbehaving>(*OneOf(mesh.receivers(), random), kMisbehavior);
}

size_t AnyWeb(Mesh& mesh, Random& random) {
  return std::uniform_int_distribution<size_t>(0, mesh.webs().size() - 1)(random);
}

Program& AnyProgram(Mesh& mesh, Random& random) {
  std::vector<Program*> programs = mesh.programs();
  return *OneOf(programs, random);
}

}  // namespace

const std::vector<FaultKind>& FaultKinds() {
  static const std::
      vector<FaultKind>&
          kinds =
              *new std::vector<FaultKind>{
                  {"kill-web",
                   [](Mesh& mesh, const Callers&, Random& random) -> std::unique_ptr<Fault> {
                     return std::make_unique<Killed>(OneOf(mesh.webs(), random)->program);
                   }},
                  {"kill",
                   [](Mesh& mesh, const Callers&, Random& random) -> std::unique_ptr<Fault> {
                     return std::make_unique<Killed>(AnyProgram(mesh, random));
                   }},
                  {"stop",
                   [](Mesh& mesh, const Callers&, Random& random) -> std::unique_ptr<Fault> {
                     return std::make_unique<Stopped>(AnyProgram(mesh, random));
                   }},
                  {"answer-500", &MakeMisbehaving<Misbehavior::kAnswer500>},
                  {"hang", &MakeMisbehaving<Misbehavior::kHang>},
                  {"reset", &MakeMisbehaving<Misbehavior::kResetMidAnswer>},
                  {"disk-full",
                   [](Mesh& mesh, const Callers& callers,
                      Random& random) -> std::unique_ptr<Fault> {
                     const size_t web = AnyWeb(mesh, random);
                     const auto limit = std::uniform_int_distribution<rlim_t>(0, 64 * 1024)(random);
                     return std::make_unique<DiskFull>(mesh, web, callers, limit);
                   }},
                  {"fsync-fails",
                   [](Mesh& mesh, const Callers& callers,
                      Random& random) -> std::unique_ptr<Fault> {
                     return std::make_unique<FsyncFails>(mesh, AnyWeb(mesh, random), callers);
                   }},
                  {"settling-fails",
                   [](Mesh& mesh, const Callers&, Random& random) -> std::unique_ptr<Fault> {
                     return std::make_unique<SettlingFails>(*OneOf(mesh.webs(), random));
                   }},
                  {"fsync-slow",
                   [](Mesh& mesh, const Callers&, Random& random) -> std::unique_ptr<Fault> {
                     const int milliseconds = std::uniform_int_distribution<int>(5, 300)(random);
                     return std::make_unique<FsyncSlow>(*OneOf(mesh.webs(), random), milliseconds);
                   }},
                  {"power-cut",
                   [](Mesh& mesh, const Callers&, Random& random) -> std::unique_ptr<Fault> {
                     return std::make_unique<PowerCut>(*OneOf(mesh.webs(), random), random);
                   }},
                  {"clock",
                   [](Mesh& mesh, const Callers&, Random& random) -> std::unique_ptr<Fault> {
                     // Less than what anything is kept for, so that nothing may be forgotten or
                     // expire.
                     const std::chrono::seconds offset(
                         std::uniform_int_distribution<int>(-2 * 3600, 2 * 3600)(random));
                     return std::make_unique<ClockJump>(*OneOf(mesh.webs(), random), offset);
                   }},
                  {"policy",
                   [](Mesh& mesh, const Callers&, Random& random) -> std::unique_ptr<Fault> {
                     const int mode = std::uniform_int_distribution<int>(0, 2)(random);
                     return std::make_unique<PolicyEdit>(mesh, static_cast<Mesh::Mode>(mode));
                   }},
              };
  return kinds;
}

}  // namespace pillion::faults
