#include "core/telemetry/metrics.h"

#include <prometheus/check_names.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cassert>
#include <limits>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "core/telemetry/log_line.h"

namespace pillion::telemetry {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricType;

using SortedLabels = std::vector<ClientMetric::Label>;

SortedLabels Sorted(Labels labels) {
  SortedLabels sorted;
  sorted.reserve(labels.size());
  for (const auto& [name, value] : labels) {
    sorted.push_back({.name = std::string(name), .value = ToValidUtf8(value)});
    assert(prometheus::CheckLabelName(sorted.back().name));
  }
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

void AddTo(ClientMetric::Histogram& sum, const Histogram& value) {
  if (sum.bucket.empty()) sum.bucket.resize(Histogram::kBuckets);
  uint64_t cumulative = 0;
  for (size_t i = 0; i < Histogram::kBuckets; ++i) {
    cumulative += value.Count(i);
    sum.bucket[i].cumulative_count += cumulative;
    sum.bucket[i].upper_bound = i < Histogram::kBoundsMicros.size()
                                    ? static_cast<double>(Histogram::kBoundsMicros[i]) / 1000
                                    : std::numeric_limits<double>::infinity();
  }
  sum.sample_count += cumulative;
  sum.sample_sum += static_cast<double>(value.SumMicros()) / 1000;
}

}  // namespace

struct MetricsBuilder::Families {
  struct Family {
    std::string help;
    MetricType type;
    std::map<SortedLabels, ClientMetric> series;
  };

  ClientMetric& Series(std::string_view name, std::string_view help, MetricType type,
                       Labels labels) {
    auto family = by_name.find(name);
    if (family == by_name.end()) {
      family = by_name.emplace(name, Family{std::string(help), type, {}}).first;
      assert(prometheus::CheckMetricName(family->first));
    }
    assert(family->second.type == type);
    return family->second.series[Sorted(labels)];
  }

  std::map<std::string, Family, std::less<>> by_name;
};

MetricsBuilder::MetricsBuilder() : families_(std::make_unique<Families>()) {}
MetricsBuilder::~MetricsBuilder() = default;

void MetricsBuilder::AddCounter(std::string_view name, std::string_view help, uint64_t value,
                                Labels labels) {
  families_->Series(name, help, MetricType::Counter, labels).counter.value +=
      static_cast<double>(value);
}

void MetricsBuilder::AddGauge(std::string_view name, std::string_view help, double value,
                              Labels labels) {
  families_->Series(name, help, MetricType::Gauge, labels).gauge.value += value;
}

void MetricsBuilder::AddHistogram(std::string_view name, std::string_view help,
                                  const Histogram& value, Labels labels) {
  AddTo(families_->Series(name, help, MetricType::Histogram, labels).histogram, value);
}

std::string MetricsBuilder::Serialize() const {
  std::vector<prometheus::MetricFamily> families;
  families.reserve(families_->by_name.size());
  for (const auto& [name, family] : families_->by_name) {
    prometheus::MetricFamily out{
        .name = name, .help = family.help, .type = family.type, .metric = {}};
    out.metric.reserve(family.series.size());
    for (const auto& [labels, metric] : family.series) {
      out.metric.push_back(metric);
      out.metric.back().label = labels;
    }
    families.push_back(std::move(out));
  }
  return prometheus::TextSerializer().Serialize(families);
}

struct MetricsPage::Registration::State {
  std::mutex mutex;
  uint64_t next_id = 1;
  std::map<uint64_t, Collector> collectors;
};

MetricsPage::Registration::Registration(std::shared_ptr<State> state, uint64_t id)
    : state_(std::move(state)), id_(id) {}

MetricsPage::Registration::Registration(Registration&& other) noexcept
    : state_(std::move(other.state_)), id_(other.id_) {}

MetricsPage::Registration& MetricsPage::Registration::operator=(Registration&& other) noexcept {
  if (this != &other) {
    End();
    state_ = std::move(other.state_);
    id_ = other.id_;
  }
  return *this;
}

MetricsPage::Registration::~Registration() { End(); }

void MetricsPage::Registration::End() {
  if (state_ == nullptr) return;
  {
    std::lock_guard lock(state_->mutex);
    state_->collectors.erase(id_);
  }
  state_.reset();
}

MetricsPage::MetricsPage() : state_(std::make_shared<Registration::State>()) {}
MetricsPage::~MetricsPage() = default;

MetricsPage::Registration MetricsPage::Register(Collector collector) {
  std::lock_guard lock(state_->mutex);
  const uint64_t id = state_->next_id++;
  state_->collectors.emplace(id, std::move(collector));
  return Registration(state_, id);
}

std::string MetricsPage::Render() const {
  MetricsBuilder builder;
  {
    std::lock_guard lock(state_->mutex);
    for (const auto& [id, collector] : state_->collectors) collector(builder);
  }
  return builder.Serialize();
}

}  // namespace pillion::telemetry
