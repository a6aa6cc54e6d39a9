// SPDX-License-Identifier: Apache-2.0
#include "enforcer/metrics/endpoint.h"

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>

#include <asio/post.hpp>
#include <chrono>
#include <exception>
#include <future>

namespace ward::enforcer {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family(const std::string& name, const std::string& help, MetricType type) {
  MetricFamily out;
  out.name = name;
  out.help = help;
  out.type = type;
  return out;
}

void add(MetricFamily& to, std::uint64_t value, const std::string& label = "", const std::string& label_value = "") {
  ClientMetric metric;
  if (!label.empty()) metric.label.push_back({label, label_value});
  metric.counter.value = static_cast<double>(value);
  metric.gauge.value = static_cast<double>(value);
  to.metric.push_back(std::move(metric));
}

MetricFamily single(const std::string& name, const std::string& help, MetricType type, std::uint64_t value) {
  MetricFamily out = family(name, help, type);
  add(out, value);
  return out;
}

std::vector<MetricFamily> families(const MetricsSnapshot& now) {
  std::vector<MetricFamily> out;
  MetricFamily violations =
      family("ward_violations_total", "Violations journalled since wardd started, by action.", MetricType::Counter);
  for (const auto& [action, count] : now.violations) add(violations, count, "action", action);
  out.push_back(std::move(violations));
  MetricFamily containers = family("ward_containers", "Containers under Ward, by mode.", MetricType::Gauge);
  for (const auto& [mode, count] : now.containers) add(containers, count, "mode", mode);
  out.push_back(std::move(containers));
  out.push_back(single("ward_events_total", "Events ever journalled.", MetricType::Counter, now.events));
  out.push_back(single("ward_dropped_total", "Violation details that were lost.", MetricType::Counter, now.dropped));
  MetricFamily expired =
      family("ward_expired_total", "Events removed by the journal's limits, by reason.", MetricType::Counter);
  for (const auto& [reason, count] : now.expired) add(expired, count, "reason", reason);
  out.push_back(std::move(expired));
  out.push_back(single("ward_open_recordings", "Runs being recorded.", MetricType::Gauge, now.open_recordings));
  out.push_back(single("ward_quarantined", "Containers in quarantine.", MetricType::Gauge, now.quarantined));
  out.push_back(single("ward_partly_enforced",
                       "Containers switched to enforce that keep capabilities of their own until the next start.",
                       MetricType::Gauge, now.partly_enforced));
  out.push_back(single("ward_shims", "Shims connected to wardd.", MetricType::Gauge, now.shims));
  out.push_back(
      single("ward_index_generation", "Generation of the compiled index.", MetricType::Gauge, now.index_generation));
  out.push_back(single("ward_problems", "Problems that `ward status` shows.", MetricType::Gauge, now.problems));
  return out;
}

class Collector : public prometheus::Collectable {
 public:
  Collector(asio::io_context& core, std::function<MetricsSnapshot()> snapshot)
      : core_(core), snapshot_(std::move(snapshot)) {}

  std::vector<MetricFamily> Collect() const override {
    // Shared with what is posted: a core loop that is busy, or ends, may run it late or never.
    auto answer = std::make_shared<std::promise<MetricsSnapshot>>();
    auto arrived = answer->get_future();
    asio::post(core_, [answer, snapshot = snapshot_] { answer->set_value(snapshot()); });
    if (arrived.wait_for(std::chrono::seconds(1)) != std::future_status::ready) return {};
    return families(arrived.get());
  }

 private:
  asio::io_context& core_;
  std::function<MetricsSnapshot()> snapshot_;
};

}  // namespace

struct MetricsEndpoint::State {
  std::shared_ptr<Collector> collector;
  std::unique_ptr<prometheus::Exposer> exposer;
};

MetricsEndpoint::MetricsEndpoint(std::unique_ptr<State> state) : state_(std::move(state)) {}
MetricsEndpoint::~MetricsEndpoint() = default;

Result<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::start(asio::io_context& core, const std::string& listen,
                                                                std::function<MetricsSnapshot()> snapshot) {
  auto state = std::make_unique<State>();
  state->collector = std::make_shared<Collector>(core, std::move(snapshot));
  try {
    state->exposer = std::make_unique<prometheus::Exposer>(listen, 1);
  } catch (const std::exception& error) {
    return fail(Code::kUnavailable, "metrics on " + listen + ": " + error.what());
  }
  state->exposer->RegisterCollectable(state->collector);
  return std::unique_ptr<MetricsEndpoint>(new MetricsEndpoint(std::move(state)));
}

}  // namespace ward::enforcer
