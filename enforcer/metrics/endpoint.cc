// SPDX-License-Identifier: Apache-2.0
#include "enforcer/metrics/endpoint.h"

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include <asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <future>

#include "lib/base/unique_fd.h"

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

void add(MetricFamily& to, std::uint64_t value, const std::string& label = "",
         const std::string& label_value = "") {
  ClientMetric metric;
  if (!label.empty()) metric.label.push_back({label, label_value});
  metric.counter.value = static_cast<double>(value);
  metric.gauge.value = static_cast<double>(value);
  to.metric.push_back(std::move(metric));
}

MetricFamily single(const std::string& name, const std::string& help, MetricType type,
                    std::uint64_t value) {
  MetricFamily out = family(name, help, type);
  add(out, value);
  return out;
}

void add_sinks(std::vector<MetricFamily>& out, const std::vector<SinkMetrics>& sinks) {
  MetricFamily waiting = family(
      "ward_sink_waiting", "Events of the journal that a sink has to send.", MetricType::Gauge);
  MetricFamily sent =
      family("ward_sink_sent_total", "Events that a receiver has taken.", MetricType::Counter);
  MetricFamily dropped = family("ward_sink_dropped_total", "Events that were not sent, by reason.",
                                MetricType::Counter);
  for (const SinkMetrics& sink : sinks) {
    add(waiting, sink.waiting, "sink", sink.name);
    add(sent, sink.sent, "sink", sink.name);
    for (const auto& [reason, count] :
         {std::pair{"expired", sink.dropped}, std::pair{"refused", sink.refused}}) {
      add(dropped, count, "sink", sink.name);
      dropped.metric.back().label.push_back({"reason", reason});
    }
  }
  out.push_back(std::move(waiting));
  out.push_back(std::move(sent));
  out.push_back(std::move(dropped));
}

std::vector<MetricFamily> families(const MetricsSnapshot& now) {
  std::vector<MetricFamily> out;
  MetricFamily violations =
      family("ward_violations_total", "Violations journalled since wardd started, by action.",
             MetricType::Counter);
  for (const auto& [action, count] : now.violations) add(violations, count, "action", action);
  out.push_back(std::move(violations));
  MetricFamily containers =
      family("ward_containers", "Containers under Ward, by mode.", MetricType::Gauge);
  for (const auto& [mode, count] : now.containers) add(containers, count, "mode", mode);
  out.push_back(std::move(containers));
  out.push_back(
      single("ward_events_total", "Events ever journalled.", MetricType::Counter, now.events));
  out.push_back(single("ward_dropped_total", "Violation details that were lost.",
                       MetricType::Counter, now.dropped));
  MetricFamily expired =
      family("ward_expired_total", "Events removed by the journal's limits, by reason.",
             MetricType::Counter);
  for (const auto& [reason, count] : now.expired) add(expired, count, "reason", reason);
  out.push_back(std::move(expired));
  out.push_back(single("ward_open_recordings", "Runs being recorded.", MetricType::Gauge,
                       now.open_recordings));
  out.push_back(
      single("ward_quarantined", "Containers in quarantine.", MetricType::Gauge, now.quarantined));
  out.push_back(single(
      "ward_partly_enforced",
      "Containers switched to enforce that keep capabilities of their own until the next start.",
      MetricType::Gauge, now.partly_enforced));
  out.push_back(single("ward_shims", "Shims connected to wardd.", MetricType::Gauge, now.shims));
  out.push_back(single("ward_index_generation", "Generation of the compiled index.",
                       MetricType::Gauge, now.index_generation));
  out.push_back(single("ward_problems", "Problems that `ward status` shows.", MetricType::Gauge,
                       now.problems));
  if (!now.sinks.empty()) add_sinks(out, now.sinks);
  return out;
}

// The system's own words, by trying it; empty where it works.
std::string why_not_bound(const std::string& listen) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return std::strerror(errno);
  const int yes = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port =
      htons(static_cast<std::uint16_t>(std::stoul(listen.substr(listen.find(':') + 1))));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool bound =
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
      ::listen(fd.get(), 1) == 0;
  return bound ? "" : std::strerror(errno);
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

Result<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::start(
    asio::io_context& core, const std::string& listen, std::function<MetricsSnapshot()> snapshot) {
  auto state = std::make_unique<State>();
  state->collector = std::make_shared<Collector>(core, std::move(snapshot));
  try {
    state->exposer = std::make_unique<prometheus::Exposer>(listen, 1);
  } catch (const std::exception& error) {
    // The library says only that it has no server ("null context when constructing CivetServer").
    const std::string why = why_not_bound(listen);
    return fail(
        Code::kUnavailable,
        "metrics on " + listen + ": " + (why.empty() ? error.what() : why) +
            "; it is tried again: end what has the port (`ss -ltnp` says), or set another one as "
            "metrics.listen in wardd.yaml");
  }
  state->exposer->RegisterCollectable(state->collector);
  return std::unique_ptr<MetricsEndpoint>(new MetricsEndpoint(std::move(state)));
}

}  // namespace ward::enforcer
