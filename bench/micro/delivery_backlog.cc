// What a backlog costs: starting with it, adding to it, holding it in memory, and draining it; what
// the store's file grows to while deliveries come and go; and whether large bodies slow small ones.
//
//   bazel run --config=opt //bench/micro:delivery_backlog -- backlog 1000 10000 100000 1000000
//   bazel run --config=opt //bench/micro:delivery_backlog -- churn 1000000
//   bazel run --config=opt //bench/micro:delivery_backlog -- large 20000
//
// Every phase is a process of its own, so that its memory is its own. The store is made in $TMPDIR,
// or /var/tmp: on a tmpfs syncing costs nothing, and says nothing.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/check.h"
#include "sidecar/delivery/clock.h"
#include "sidecar/delivery/engine.h"
#include "sidecar/delivery/random.h"
#include "sidecar/delivery/sqlite_store.h"

namespace pillion::delivery {
namespace {

constexpr int kOutstanding = 1024;  // accepts that wait for their commit
constexpr size_t kBody = 256;
constexpr int kTargets = 8;
constexpr int kDrained = 50'000;  // at most, of a backlog: the rate does not change any more

std::string NewDirectory() {
  const char* parent = std::getenv("TMPDIR");
  std::string path = std::string(parent != nullptr ? parent : "/var/tmp") + "/pillion-bench-XXXXXX";
  PILLION_CHECK(mkdtemp(path.data()) != nullptr);
  return path;
}

double Seconds(absl::Duration duration) { return absl::ToDoubleSeconds(duration); }

double ResidentMegabytes() {
  std::ifstream file("/proc/self/statm");
  int64_t total = 0;
  int64_t resident = 0;
  file >> total >> resident;
  return static_cast<double>(resident * sysconf(_SC_PAGESIZE)) / 1e6;
}

double PeakMegabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1e3;
}

// Of all threads of this process: what a busy machine does not change.
double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

double FileMegabytes(const std::string& directory) {
  double bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    bytes += static_cast<double>(entry.file_size());
  }
  return bytes / 1e6;
}

void InChild(const std::function<void()>& body) {
  std::fflush(stdout);
  const pid_t child = fork();
  PILLION_CHECK(child >= 0);
  if (child == 0) {
    body();
    std::fflush(stdout);
    _exit(0);
  }
  int status = 0;
  PILLION_CHECK(waitpid(child, &status, 0) == child && status == 0);
}

AcceptRequest Call(int number, size_t body, absl::Duration retention) {
  AcceptRequest request;
  request.message.kind = MessageKind::kAsync;
  request.message.method = "POST";
  request.message.path_and_query = "/user/?user_id=1";
  request.message.authority = "users";
  request.message.headers = std::string(200, 'h');
  request.message.body = std::string(body, 'b');
  request.expires_after = absl::Hours(24);
  NewDelivery& delivery = request.deliveries.emplace_back();
  delivery.target = {TargetKind::kRoute, "users/" + std::to_string(number % kTargets)};
  delivery.cluster = "users";
  delivery.spec.retention = retention;
  delivery.spec.concurrency = 64;
  return request;
}

// Counts down, and waits for that.
class Window {
 public:
  void Enter(int limit) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inside_ < limit; });
    ++inside_;
  }
  void Leave() {
    const std::lock_guard lock(mutex_);
    --inside_;
    changed_.notify_all();
  }
  void AwaitEmpty() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inside_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int inside_ = 0;
};

// An engine whose attempts succeed at once.
struct Bench {
  explicit Bench(const std::string& directory, EngineOptions options = {}) {
    auto store = SqliteStore::Open(directory);
    PILLION_CHECK(store.ok());
    engine = std::make_unique<Engine>(std::move(options), *std::move(store), &clock, &random);
  }
  void Start() {
    const auto succeed = [this](ClaimedDelivery delivery) {
      AttemptOutcome outcome;
      outcome.answer.status = 200;
      engine->Complete(delivery.claim, std::move(outcome));
    };
    PILLION_CHECK(engine->Start(succeed, [](uint64_t) {}).ok());
  }
  // `latencies`: in seconds, one for each; null: not of interest.
  void Accept(int count, size_t body, absl::Duration retention, int outstanding,
              std::vector<double>* latencies) {
    Window window;
    std::mutex mutex;
    for (int i = 0; i < count; ++i) {
      window.Enter(outstanding);
      const absl::Time asked = absl::Now();
      engine->Accept(Call(i, body, retention), [&, asked](absl::StatusOr<Accepted> accepted) {
        PILLION_CHECK(accepted.ok());
        if (latencies != nullptr) {
          const std::lock_guard lock(mutex);
          latencies->push_back(Seconds(absl::Now() - asked));
        }
        window.Leave();
      });
    }
    window.AwaitEmpty();
  }
  SystemClock clock;
  SecureRandom random;
  std::unique_ptr<Engine> engine;
};

double Quantile(std::vector<double>& values, double q) {
  const auto at = static_cast<ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<size_t>(at)] * 1e3;
}

void PrintLatencies(const char* what, std::vector<double>& latencies) {
  std::printf("%-34s p50 %7.2f  p99 %7.2f  max %7.2f ms\n", what, Quantile(latencies, 0.5),
              Quantile(latencies, 0.99), Quantile(latencies, 1));
}

void MeasureBacklog(int size) {
  const std::string directory = NewDirectory();
  InChild([&] {
    Bench bench(directory);
    bench.Start();
    bench.engine->StopDispatching();
    const absl::Time begin = absl::Now();
    bench.Accept(size, kBody, absl::Hours(1), kOutstanding, nullptr);
    std::printf(
        "%9d pending: accepted %7.0f/s (%5.1f us of CPU each), peak %5.1f MB, file %7.1f MB\n",
        size, size / Seconds(absl::Now() - begin), CpuSeconds() / size * 1e6, PeakMegabytes(),
        FileMegabytes(directory));
  });
  InChild([&] {
    const absl::Time begin = absl::Now();
    Bench bench(directory);
    bench.Start();
    const absl::Time started = absl::Now();
    const double cpu = CpuSeconds();
    const double resident = ResidentMegabytes();
    std::vector<double> latencies;
    bench.Accept(100, kBody, absl::Hours(1), 1, &latencies);
    const int64_t drained = std::min(size, kDrained);
    while (bench.engine->stats().succeeded < drained) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const auto count = static_cast<double>(bench.engine->stats().succeeded);
    std::printf(
        "%9d pending: start %6.1f ms (%5.1f ms of CPU), %5.1f MB; one more takes %5.2f ms (median, "
        "while it drains); drained %6.0f/s (%5.1f us of CPU each), peak %5.1f MB\n",
        size, Seconds(started - begin) * 1e3, cpu * 1e3, resident, Quantile(latencies, 0.5),
        count / Seconds(absl::Now() - started), (CpuSeconds() - cpu) / count * 1e6,
        PeakMegabytes());
  });
  std::filesystem::remove_all(directory);
}

// Accepts, delivers and forgets: each is kept for a second, and its status for another.
void MeasureChurn(int total) {
  const std::string directory = NewDirectory();
  InChild([&] {
    Bench bench(directory);
    bench.Start();
    for (int done = 0; done < total; done += total / 10) {
      std::vector<double> latencies;
      bench.Accept(total / 10, kBody, absl::Seconds(1), 64, &latencies);
      const EngineStats stats = bench.engine->stats();
      std::printf("%9lld accepted, %9lld forgotten, file %7.1f MB, in use %7.1f MB, %5.1f MB; ",
                  static_cast<long long>(stats.accepted), static_cast<long long>(stats.forgotten),
                  FileMegabytes(directory), static_cast<double>(stats.store_bytes) / 1e6,
                  ResidentMegabytes());
      PrintLatencies("accepting", latencies);
    }
  });
  std::filesystem::remove_all(directory);
}

void MeasureLarge(int count) {
  for (const size_t large : {size_t{0}, size_t{128} << 10, size_t{1} << 20}) {
    const std::string directory = NewDirectory();
    InChild([&] {
      Bench bench(directory);
      bench.Start();
      std::atomic<bool> stopping = false;
      int64_t number = 0;
      std::thread other([&] {
        while (large > 0 && !stopping) {
          bench.Accept(8, large, absl::Seconds(1), 2, nullptr);
          number += 8;
        }
      });
      std::vector<double> latencies;
      bench.Accept(count, kBody, absl::Seconds(1), 16, &latencies);
      stopping = true;
      other.join();
      const std::string what =
          "beside " + std::to_string(number) + " of " + std::to_string(large >> 10) + " KiB";
      PrintLatencies(what.c_str(), latencies);
    });
    std::filesystem::remove_all(directory);
  }
}

int Main(int argc, char** argv) {
  const std::string mode = argc > 2 ? argv[1] : "";
  if (mode != "backlog" && mode != "churn" && mode != "large") {
    std::fprintf(stderr, "usage: delivery_backlog backlog|churn|large COUNT...\n");
    return 64;
  }
  for (int i = 2; i < argc; ++i) {
    const int count = std::atoi(argv[i]);
    if (mode == "backlog") MeasureBacklog(count);
    if (mode == "churn") MeasureChurn(count);
    if (mode == "large") MeasureLarge(count);
  }
  return 0;
}

}  // namespace
}  // namespace pillion::delivery

int main(int argc, char** argv) { return pillion::delivery::Main(argc, argv); }
