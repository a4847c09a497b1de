#include "core/telemetry/metrics.h"

#include <atomic>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace pillion::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MetricsBuilder, WritesTheTextFormat) {
  MetricsBuilder builder;
  builder.AddGauge("pillion_delivery_pending", "Deliveries that wait.", 3);
  builder.AddCounter("pillion_delivery_accepted_total", "Deliveries made durable.", 7,
                     {{"mode", "publish"}});
  builder.AddCounter("pillion_delivery_accepted_total", "Deliveries made durable.", 2,
                     {{"mode", "async"}});
  EXPECT_EQ(builder.Serialize(),
            "# HELP pillion_delivery_accepted_total Deliveries made durable.\n"
            "# TYPE pillion_delivery_accepted_total counter\n"
            "pillion_delivery_accepted_total{mode=\"async\"} 2\n"
            "pillion_delivery_accepted_total{mode=\"publish\"} 7\n"
            "# HELP pillion_delivery_pending Deliveries that wait.\n"
            "# TYPE pillion_delivery_pending gauge\n"
            "pillion_delivery_pending 3\n");
}

TEST(MetricsBuilder, IsEmptyWithoutMetrics) { EXPECT_EQ(MetricsBuilder().Serialize(), ""); }

TEST(MetricsBuilder, SumsTheSameSeriesWhateverTheOrderOfItsLabels) {
  MetricsBuilder builder;
  builder.AddCounter("c_total", "C.", 1, {{"a", "1"}, {"b", "2"}});
  builder.AddCounter("c_total", "C.", 10, {{"b", "2"}, {"a", "1"}});
  builder.AddGauge("g", "G.", -5);
  builder.AddGauge("g", "G.", 2);
  EXPECT_THAT(builder.Serialize(), HasSubstr("c_total{a=\"1\",b=\"2\"} 11\n"));
  EXPECT_THAT(builder.Serialize(), HasSubstr("g -3\n"));
}

TEST(MetricsBuilder, KeepsLargeNumbersExact) {
  MetricsBuilder builder;
  builder.AddCounter("bytes_total", "Bytes.", 9'007'199'254'740'991);
  EXPECT_THAT(builder.Serialize(), HasSubstr("bytes_total 9007199254740991\n"));
}

TEST(MetricsBuilder, EscapesLabelValues) {
  MetricsBuilder builder;
  builder.AddGauge("g", "G.", 1, {{"name", "a\"b\\c\nd\xff"}});
  EXPECT_THAT(builder.Serialize(), HasSubstr("g{name=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\"} 1\n"));
}

TEST(MetricsBuilderDeathTest, RefusesNamesThatPrometheusWouldNotRead) {
  MetricsBuilder builder;
  EXPECT_DEATH(builder.AddGauge("a-b", "", 1), "CheckMetricName");
  EXPECT_DEATH(builder.AddGauge("a", "", 1, {{"a.b", ""}}), "CheckLabelName");
  builder.AddGauge("kind", "", 1);
  EXPECT_DEATH(builder.AddCounter("kind", "", 1), "type");
}

TEST(Histogram, CountsBoundsInTheirBucket) {
  Histogram histogram;
  histogram.RecordMicros(0);
  histogram.RecordMicros(500);
  histogram.RecordMicros(501);
  histogram.RecordMicros(3'600'000'000);
  histogram.RecordMicros(3'600'000'001);
  EXPECT_EQ(histogram.Count(0), 2u);
  EXPECT_EQ(histogram.Count(1), 1u);
  EXPECT_EQ(histogram.Count(18), 1u);
  EXPECT_EQ(histogram.Count(19), 1u);
}

TEST(Histogram, IsCumulativeInMillisecondsAndSummedOverWorkers) {
  Histogram one;
  Histogram two;
  one.RecordMicros(400);
  one.RecordMicros(2'000);
  two.RecordMicros(700);
  two.RecordMicros(7'200'000'000);
  MetricsBuilder builder;
  builder.AddHistogram("rq_time", "Milliseconds.", one, {{"cluster", "users"}});
  builder.AddHistogram("rq_time", "Milliseconds.", two, {{"cluster", "users"}});
  const std::string page = builder.Serialize();
  EXPECT_THAT(page, HasSubstr("# TYPE rq_time histogram\n"));
  EXPECT_THAT(page, HasSubstr("rq_time_bucket{cluster=\"users\",le=\"0.5\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("rq_time_bucket{cluster=\"users\",le=\"1\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("rq_time_bucket{cluster=\"users\",le=\"5\"} 3\n"));
  EXPECT_THAT(page, HasSubstr("rq_time_bucket{cluster=\"users\",le=\"3600000\"} 3\n"));
  EXPECT_THAT(page, HasSubstr("rq_time_bucket{cluster=\"users\",le=\"+Inf\"} 4\n"));
  EXPECT_THAT(page, HasSubstr("rq_time_count{cluster=\"users\"} 4\n"));
  EXPECT_THAT(page, HasSubstr("rq_time_sum{cluster=\"users\"} 7200003.1"));
}

TEST(MetricsPage, RendersWhatIsRegisteredAndNoLonger) {
  MetricsPage page;
  int value = 1;
  auto kept = page.Register([&](MetricsBuilder& builder) { builder.AddGauge("kept", "", value); });
  {
    auto ended = page.Register([](MetricsBuilder& builder) { builder.AddGauge("ended", "", 1); });
    EXPECT_THAT(page.Render(), HasSubstr("ended 1\n"));
  }
  value = 2;
  EXPECT_THAT(page.Render(), HasSubstr("kept 2\n"));
  EXPECT_THAT(page.Render(), Not(HasSubstr("ended")));
}

TEST(MetricsPage, RegistrationsCanBeMovedAndOutliveThePage) {
  MetricsPage::Registration outliving;
  {
    MetricsPage page;
    auto first = page.Register([](MetricsBuilder& builder) { builder.AddGauge("first", "", 1); });
    outliving = page.Register([](MetricsBuilder& builder) { builder.AddGauge("second", "", 1); });
    outliving = std::move(first);
    EXPECT_THAT(page.Render(), HasSubstr("first 1\n"));
    EXPECT_THAT(page.Render(), Not(HasSubstr("second")));
  }
}

TEST(MetricsPage, ReadsWhileWorkersCount) {
  struct alignas(kCacheLine) WorkerStats {
    Counter calls;
    Gauge active;
    Histogram time;
  };
  constexpr uint64_t kCalls = 50'000;
  std::vector<WorkerStats> stats(3);
  MetricsPage page;
  auto registration = page.Register([&stats](MetricsBuilder& builder) {
    for (const WorkerStats& worker : stats) {
      builder.AddCounter("calls_total", "", worker.calls.Value());
      builder.AddGauge("active", "", static_cast<double>(worker.active.Value()));
      builder.AddHistogram("time", "", worker.time);
    }
  });
  std::atomic<size_t> done{0};
  std::vector<std::thread> workers;
  for (WorkerStats& mine : stats) {
    workers.emplace_back([&mine, &done] {
      for (uint64_t i = 0; i < kCalls; ++i) {
        mine.active.Add();
        mine.calls.Add();
        mine.time.RecordMicros(i);
        mine.active.Subtract();
      }
      ++done;
    });
  }
  do {
    EXPECT_THAT(page.Render(), HasSubstr("calls_total "));
  } while (done < stats.size());
  for (std::thread& worker : workers) worker.join();
  const std::string after = page.Render();
  EXPECT_THAT(after, HasSubstr("calls_total 150000\n"));
  EXPECT_THAT(after, HasSubstr("active 0\n"));
  EXPECT_THAT(after, HasSubstr("time_count 150000\n"));
}

}  // namespace
}  // namespace pillion::telemetry
