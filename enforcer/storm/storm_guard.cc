// SPDX-License-Identifier: Apache-2.0
#include "enforcer/storm/storm_guard.h"

#include <chrono>

#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "lib/base/log.h"
#include "profiles/filter/terms.h"
#include "profiles/filter/treatment.h"
#include "ward/node/v1/node.pb.h"

namespace ward::enforcer {
namespace {

constexpr std::uint32_t kAtOnce = 1000;
constexpr std::uint32_t kLookBack = 10'000;  // events, where wardd starts

std::int64_t length_ns(const node::v1::StormGuard& guard) {
  return std::chrono::nanoseconds(std::chrono::seconds(guard.within_s())).count();
}

// It was the end of its container, or stopped it.
bool ended_something(const node::v1::Violation& body) {
  const std::string_view outcome = body.outcome();
  return body.mode() == node::v1::MODE_ENFORCE &&
         (body.action() == node::v1::ACTION_KILL || body.action() == node::v1::ACTION_QUARANTINE) &&
         (outcome.starts_with("killed") || outcome.starts_with("quarantined"));
}

// Containers that start again in their place are one; a pod is one, however many containers it
// restarts.
std::string place_of(const node::v1::Identity& who) {
  return who.pod().empty() ? who.containerd_namespace() + "/" + who.container_id()
                           : who.kubernetes_namespace() + "/" + who.pod();
}

std::string workload_of(const node::v1::Rule& rule, const node::v1::Identity& who) {
  return rule.workload().empty() ? filter::default_workload(who)
                                 : filter::expand(rule.workload(), who);
}

}  // namespace

StormGuards::StormGuards(ContainerTable& containers, ShimLinks& shims, Journal& journal,
                         ProfileStore& store)
    : containers_(containers), shims_(shims), journal_(journal), store_(store) {}

StormGuards::~StormGuards() {
  if (subscription_ != 0) journal_.unsubscribe(subscription_);
}

void StormGuards::start() {
  if (const auto from = journal_.sequence_before_newest(kLookBack, "")) read_to_ = *from;
  subscription_ = journal_.subscribe([this] { read(); });
  read();
}

void StormGuards::read() {
  for (;;) {
    const auto records = journal_.read(read_to_, "", kAtOnce);
    // A journal that cannot be read says so itself.
    if (!records || records->empty()) return;
    read_to_ = records->back().sequence;
    for (const JournalRecord& record : *records)
      if (record.entry.kind == EventKind::kViolation) count(record.entry.body);
  }
}

void StormGuards::count(const node::v1::Violation& body) {
  const bool ended = ended_something(body);
  if (!ended && !body.calmed()) return;
  auto index = store_.open_index();
  if (!index) return;
  const auto governing = index->find_governing(body.identity());
  if (!governing || !governing->rule || !governing->rule->has_storm_guard()) return;
  const node::v1::StormGuard& guard = governing->rule->storm_guard();
  const std::string workload = workload_of(*governing->rule, body.identity());
  const std::int64_t until = body.wall_ns() + length_ns(guard);
  if (until <= wall_ns()) return;  // long ago: it was spooled, or wardd has just started
  for (const node::v1::Calmed& calmed : store_.calmed()) {
    if (calmed.workload() != workload || calmed.until_wall_ns() <= wall_ns()) continue;
    // Once in as many pods as it takes to begin: whoever has one must not keep a guard in force for
    // ever.
    node::v1::StormGuard spread = guard;
    spread.set_after(guard.pods());
    if (body.calmed() && goes_on_.add(workload, place_of(body.identity()), body.wall_ns(), spread))
      go_on(calmed, until);
    return;
  }
  if (ended && count_.add(workload, place_of(body.identity()), body.wall_ns(), guard))
    begin(workload, guard, body);
}

void StormGuards::begin(const std::string& workload, const node::v1::StormGuard& guard,
                        const node::v1::Violation& last) {
  node::v1::Calmed calmed;
  calmed.set_workload(workload);
  calmed.set_then(guard.then());
  calmed.set_until_wall_ns(wall_ns() + length_ns(guard));
  if (auto put = store_.put_calmed(calmed); !put)
    return log::error("a storm guard cannot be put in force", {{"error", put.error().message}});
  count_.forget(workload);
  goes_on_.forget(workload);
  tell_running(calmed);
  note(workload, "began",
       std::to_string(guard.after()) + " containers in " + std::to_string(guard.pods()) +
           " or more pods were ended or stopped within " + std::to_string(guard.within_s()) +
           " s, the last for " + last.syscall() +
           ": until as long has passed without as many pods again, " +
           std::string(filter::action_name(guard.then())) +
           " is done instead, but for the danger set");
}

// At most a few times in its length: each is a new index.
void StormGuards::go_on(const node::v1::Calmed& calmed, std::int64_t until_wall_ns) {
  const std::int64_t left = calmed.until_wall_ns() - wall_ns();
  const std::int64_t length = until_wall_ns - wall_ns();
  if (left > length / 4 * 3) return;
  goes_on_.forget(calmed.workload());
  node::v1::Calmed longer = calmed;
  longer.set_until_wall_ns(until_wall_ns);
  if (auto put = store_.put_calmed(longer); !put)
    return log::error("a storm guard cannot be prolonged", {{"error", put.error().message}});
  tell_running(longer);
}

void StormGuards::tell_running(const node::v1::Calmed& calmed) {
  for (const ContainerEntry& entry : containers_.list()) {
    const node::v1::ContainerStatus& status = entry.status;
    if (status.workload() != calmed.workload() || status.mode() != node::v1::MODE_ENFORCE ||
        status.state() == node::v1::CONTAINER_STATE_STOPPED)
      continue;
    node::v1::CalmCommand command;
    command.set_containerd_namespace(status.identity().containerd_namespace());
    command.set_container_id(status.identity().container_id());
    command.set_then(calmed.then());
    command.set_until_wall_ns(calmed.until_wall_ns());
    shims_.call(entry.shim_address, "Calm", command.SerializeAsString(),
                [id = status.identity().container_id()](const Result<std::string>& answer) {
                  // An older shim, or one that ends: its containers are treated as ever.
                  if (!answer)
                    log::warn("a storm guard does not reach a container that runs",
                              {{"id", id}, {"error", answer.error().message}});
                });
  }
}

void StormGuards::tend(std::int64_t wall_ns) {
  for (const std::string& workload : store_.end_calmed(wall_ns))
    note(workload, "ended", "as long as the guard looks back nothing of the kind happened");
}

std::vector<std::string> StormGuards::problems(std::int64_t wall_ns) const {
  std::vector<std::string> out;
  for (const node::v1::Calmed& calmed : store_.calmed()) {
    if (calmed.until_wall_ns() <= wall_ns) continue;
    out.push_back("warning: a storm guard is in force for workload " +
                  escape(calmed.workload(), 80) + ", for " +
                  std::to_string((calmed.until_wall_ns() - wall_ns) / 1'000'000'000 + 1) +
                  " s more at least: its containers are not killed or quarantined, but for the "
                  "danger set");
  }
  return out;
}

void StormGuards::note(const std::string& workload, const char* outcome,
                       const std::string& reason) {
  JournalEntry event{EventKind::kStormGuard, {}};
  event.body.set_outcome(outcome);
  event.body.set_reason("workload " + escape(workload, 80) + ": " + reason);
  journal_.note(std::move(event));
}

}  // namespace ward::enforcer
