// Metrics: plain counters on the workers, and the page that Prometheus reads.
//
// A worker counts in structs of its own that hold Counter, Gauge and Histogram; counting is a load,
// an addition and a store, without a lock or a locked instruction. Only when the page is asked for,
// collectors read the structs of all workers and add them up:
//
//   struct alignas(telemetry::kCacheLine) WorkerStats { telemetry::Counter accepted; };
//
//   auto registration = page.Register([&](telemetry::MetricsBuilder& builder) {
//     for (const Worker& worker : workers)
//       builder.AddCounter("pillion_delivery_accepted_total", "Deliveries made durable.",
//                          worker.stats.accepted.Value(), {{"mode", "async"}});
//   });
//   response.body = page.Render();
//
// Names are Envoy's where the thing is the same (see proxy_stats.h), else they begin with
// `pillion_`.
#ifndef PILLION_CORE_TELEMETRY_METRICS_H_
#define PILLION_CORE_TELEMETRY_METRICS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace pillion::telemetry {

// Structs of different workers must not share one of these: align them to it. Such structs belong
// on the heap or in another aligned struct: GCC 12 aligns neither coroutine frames nor (with the
// address sanitizer) stack frames to it.
inline constexpr size_t kCacheLine = 64;

// Counts up. Threads: one thread adds, any thread reads.
class Counter {
 public:
  void Add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t Value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Counts up and down, or is set. Threads: one thread changes it, any thread reads.
class Gauge {
 public:
  void Add(int64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void Subtract(int64_t n = 1) { Add(-n); }
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  int64_t Value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Times, in the buckets that Envoy uses by default. Threads: one thread records, any thread reads;
// a reader may see a call that is recorded at that moment in one of the two sums only.
class Histogram {
 public:
  // Upper bounds in microseconds, each included in its bucket; exposed in milliseconds. The last
  // bucket has none.
  static constexpr std::array<uint64_t, 19> kBoundsMicros = {
      500,        1'000,       5'000,       10'000,        25'000,       50'000,     100'000,
      250'000,    500'000,     1'000'000,   2'500'000,     5'000'000,    10'000'000, 30'000'000,
      60'000'000, 300'000'000, 600'000'000, 1'800'000'000, 3'600'000'000};
  static constexpr size_t kBuckets = kBoundsMicros.size() + 1;

  void RecordMicros(uint64_t micros) {
    size_t bucket =
        0;  // A linear search: nearly every call of a healthy service ends in one of the first few.
    while (bucket < kBoundsMicros.size() && micros > kBoundsMicros[bucket]) ++bucket;
    counts_[bucket].Add();
    sum_micros_.Add(micros);
  }

  uint64_t Count(size_t bucket) const {
    return counts_[bucket].Value();
  }  // of this bucket alone, not cumulative
  uint64_t SumMicros() const { return sum_micros_.Value(); }

 private:
  std::array<Counter, kBuckets> counts_;
  Counter sum_micros_;
};

using Label = std::pair<std::string_view, std::string_view>;
using Labels = std::initializer_list<Label>;

// One reading of everything. Values added under the same name and labels are summed, whatever the
// order. REQUIRES: a name is always used with the same kind; names and label names are legal for
// Prometheus
// ([a-zA-Z_:][a-zA-Z0-9_:]*). Violations abort: they are mistakes of the program, never of its
// input. Label values may be anything; bytes that are not UTF-8 are replaced. Threads: the one that
// calls Render() only.
class MetricsBuilder {
 public:
  MetricsBuilder();
  ~MetricsBuilder();
  MetricsBuilder(const MetricsBuilder&) = delete;
  MetricsBuilder& operator=(const MetricsBuilder&) = delete;

  void AddCounter(std::string_view name, std::string_view help, uint64_t value, Labels labels = {});
  void AddGauge(std::string_view name, std::string_view help, double value, Labels labels = {});
  void AddHistogram(std::string_view name, std::string_view help, const Histogram& value,
                    Labels labels = {});

  // The Prometheus text format, version 0.0.4: families sorted by name, series by labels.
  std::string Serialize() const;

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

// The page itself: who contributes to it. Threads: any. A collector is called on the thread that
// renders, under the page's lock: it must only read, and must not register or end a registration.
class MetricsPage {
 public:
  using Collector = std::function<void(MetricsBuilder&)>;

  // Ends the contribution when destroyed: after that, the collector is not running and will not be
  // called again.
  class [[nodiscard]] Registration {
   public:
    Registration() = default;
    Registration(Registration&& other) noexcept;
    Registration& operator=(Registration&& other) noexcept;
    ~Registration();

   private:
    friend class MetricsPage;
    struct State;
    Registration(std::shared_ptr<State> state, uint64_t id);
    void End();

    std::shared_ptr<State> state_;
    uint64_t id_ = 0;
  };

  MetricsPage();
  ~MetricsPage();  // registrations may outlive it
  MetricsPage(const MetricsPage&) = delete;
  MetricsPage& operator=(const MetricsPage&) = delete;

  Registration Register(Collector collector);

  // Content-Type: kContentType. Allocates, and takes time in proportion to the number of series:
  // not for a worker.
  std::string Render() const;

  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  std::shared_ptr<Registration::State> state_;
};

}  // namespace pillion::telemetry

#endif  // PILLION_CORE_TELEMETRY_METRICS_H_
