// SPDX-License-Identifier: Apache-2.0
#include "cli/incident/incident.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "cli/present/event_text.h"
#include "cli/present/style.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"

namespace ward::cli {
namespace {

constexpr std::size_t kMaxGroups = 20;
constexpr std::size_t kMaxNamed = 5;
constexpr std::int64_t kMicrosecond_ns = 1000;

bool begins(const std::string& text, std::string_view with) { return text.rfind(with, 0) == 0; }

// What a shell takes as one word whatever it holds; else a page would offer a trap to be copied.
bool is_plain_word(const std::string& word) {
  if (word.empty() || word.front() == '-') return false;
  return std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-/:@").find(c) != std::string_view::npos;
  });
}

std::string done(const Incident& incident) {
  const ward::v1::Event& event = incident.event;
  const std::string& outcome = event.outcome();
  const std::string after =
      event.contained_us() > 0 ? " within " + microseconds(event.contained_us()) : std::string();
  if (begins(outcome, "quarantined"))
    return "Ward refused the call, cut the container's network and froze it" + after;
  if (begins(outcome, "killed") || outcome == "process killed")
    return "Ward refused the call and killed " +
           std::string(outcome == "process killed" ? "the process" : "the container") + after;
  if (begins(outcome, "denied")) return "Ward refused the call, and the container goes on";
  if (begins(outcome, "continued")) return "Ward let it run and recorded it";
  return "what Ward did: " + printable(outcome, 500);
}

std::string call_sentence(const ward::v1::Event& event) {
  const std::string process = event.comm().empty() ? "a process" : escape(event.comm(), 64);
  const std::string id = event.pid() == 0 ? "" : " (pid " + std::to_string(event.pid()) + ")";
  const std::string in = " in " + escape(where_of(event), 512);
  if (event.syscall().empty())
    return process + id + in + " used " +
           (event.capability().empty() ? "what its profile does not allow"
                                       : escape(event.capability()));
  return process + id + in + " called " + call_text(event) + ", which profile " +
         escape(event.profile()) + " does not allow";
}

}  // namespace

bool is_incident(const ward::v1::Event& event) {
  if (event.kind() != "violation") return false;
  return !event.evidence().empty() || begins(event.outcome(), "quarantined") ||
         begins(event.outcome(), "killed");
}

std::string where_of(const ward::v1::Event& event) {
  if (!event.pod().empty())
    return event.kubernetes_namespace() + "/" + event.pod() + "/" + event.container_name();
  return event.containerd_namespace() + "/" + event.container();
}

Containment containment_of(const Incident& incident) {
  const std::string& outcome = incident.event.outcome();
  const bool gone = !incident.container || incident.container->state() == "STOPPED";
  if (begins(outcome, "killed")) return gone ? Containment::kKilled : Containment::kNotContained;
  if (gone) return Containment::kGone;
  if (incident.container->state() == "QUARANTINED") return Containment::kQuarantined;
  return begins(outcome, "quarantined") ? Containment::kReleased : Containment::kNotContained;
}

std::string_view containment_word(Containment containment) {
  switch (containment) {
    case Containment::kQuarantined: return "quarantined";
    case Containment::kKilled: return "killed";
    case Containment::kReleased: return "released";
    case Containment::kGone: return "gone";
    case Containment::kNotContained: return "not-contained";
  }
  return "";
}

std::string standing(const Incident& incident) {
  switch (containment_of(incident)) {
    case Containment::kQuarantined:
      return "It is contained: frozen, without network, and waits for you.";
    case Containment::kKilled: return "It is contained: none of its processes is left.";
    case Containment::kReleased:
      return "It is not contained any more: it was released, and runs enforced as before.";
    case Containment::kGone: return "The container is gone.";
    case Containment::kNotContained: return "The container runs on.";
  }
  return "";
}

std::string headline(const Incident& incident) {
  return call_sentence(incident.event) + "; " + done(incident) + ". " + standing(incident);
}

std::vector<Moment> timeline_of(const Incident& incident) {
  const Evidence& evidence = incident.bundle.evidence;
  std::vector<Moment> all = evidence.timeline;
  if (all.empty()) {
    const ward::v1::Event& event = incident.event;
    all.push_back({0, "the notification is received"});
    const std::int64_t answered =
        evidence.answered_ns > 0 ? evidence.answered_ns : event.answered_us() * kMicrosecond_ns;
    const std::int64_t contained =
        evidence.contained_ns > 0 ? evidence.contained_ns : event.contained_us() * kMicrosecond_ns;
    if (answered > 0) all.push_back({answered, "the call is answered"});
    if (contained > 0)
      all.push_back({contained, begins(event.outcome(), "killed") ? "all processes are dead"
                                                                  : "all processes are frozen"});
    if (incident.bundle.found && evidence.took_ns > 0 && contained > 0)
      all.push_back({contained + evidence.took_ns, "the processes are described for the evidence"});
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Moment& a, const Moment& b) { return a.at_ns < b.at_ns; });
  // Relative to the first, whatever clock it is.
  const std::int64_t origin = all.front().at_ns;
  for (Moment& moment : all) {
    const auto relative =
        static_cast<std::uint64_t>(moment.at_ns) - static_cast<std::uint64_t>(origin);
    moment.at_ns =
        static_cast<std::int64_t>(std::min<std::uint64_t>(relative, std::uint64_t{1} << 62U));
  }
  return all;
}

profiles::AskedCall asked_call(const ward::v1::Event& event) {
  profiles::AskedCall out;
  out.syscall = event.syscall();
  for (int i = 0; i < std::min(event.args_size(), 6); ++i)
    out.arguments.at(static_cast<std::size_t>(i)) = event.args(i);
  out.phase = event.origin() == "exec"  ? profiles::Layer::kExec
              : event.phase() == "boot" ? profiles::Layer::kBoot
                                        : profiles::Layer::kServing;
  return out;
}

std::vector<NextStep> next_steps(const Incident& incident) {
  const ward::v1::Event& event = incident.event;
  std::vector<NextStep> steps;
  const std::string target = event.containerd_namespace() + "/" + event.container();
  if (containment_of(incident) == Containment::kQuarantined && is_plain_word(target)) {
    steps.push_back({"Let it go on, enforced as before",
                     "ward quarantine release " + target + " --reason 'looked at it'"});
    steps.push_back({"End it: kill every process",
                     "ward quarantine kill " + target + " --reason 'looked at it'"});
  }
  if (is_plain_word(event.profile()) && !event.profile().empty()) {
    const std::string& name = event.profile();
    steps.push_back({"If the workload needs the call: make the next version of the profile ...",
                     "ward profile propose " + name + " -o " + name + "-next.yaml"});
    if (incident.judgement && is_plain_word(incident.judgement->file))
      steps.push_back(
          {"... look at what it would allow ...",
           "ward profile diff " + incident.judgement->file + " " + name + "-next.yaml"});
    steps.push_back({"... and put it in force", "ward profile apply " + name + "-next.yaml"});
  }
  if (is_plain_word(event.id()))
    steps.push_back({"Ask again which rule decides", "ward why " + event.id()});
  if (is_plain_word(target))
    steps.push_back({"All that happened in this container", "ward events -c " + target});
  if (is_plain_word(event.evidence()))
    steps.push_back({"Check that the evidence is as it was taken",
                     "cd " + event.evidence() + " && sha256sum -c SHA256SUMS"});
  return steps;
}

std::vector<RelatedGroup> group_related(const std::vector<ward::v1::Event>& events,
                                        const ward::v1::Event& incident) {
  struct Growing {
    RelatedGroup group;
    std::set<std::string> containers;
  };
  std::map<std::pair<std::string, std::string>, Growing> groups;
  for (const ward::v1::Event& event : events) {
    if (event.kind() != "violation") continue;
    const bool same_call =
        event.profile() == incident.profile() && event.syscall() == incident.syscall();
    const bool same_container = event.container() == incident.container() &&
                                event.containerd_namespace() == incident.containerd_namespace();
    if (!same_call && !same_container && event.profile() != incident.profile()) continue;
    auto& [group, containers] = groups[{event.profile(), event.syscall()}];
    group.syscall = event.syscall().empty() ? event.capability() : event.syscall();
    group.profile = event.profile();
    group.same_call = same_call;
    group.same_container = group.same_container || same_container;
    group.calls += 1 + event.repeats();
    containers.insert(event.containerd_namespace() + "/" + event.container());
    if (group.first_wall_ns == 0 || event.wall_ns() < group.first_wall_ns)
      group.first_wall_ns = event.wall_ns();
    group.last_wall_ns = std::max(group.last_wall_ns, event.wall_ns());
    if (!is_incident(event)) continue;
    ++group.incidents;
    group.ids.insert(group.ids.begin(), event.id());
    if (group.ids.size() > kMaxNamed) group.ids.pop_back();
  }
  std::vector<RelatedGroup> out;
  for (auto& [key, growing] : groups) {
    RelatedGroup& group = growing.group;
    group.containers_in_all = static_cast<std::uint32_t>(growing.containers.size());
    for (const std::string& name : growing.containers)
      if (group.containers.size() < kMaxNamed) group.containers.push_back(name);
    out.push_back(std::move(group));
  }
  std::stable_sort(out.begin(), out.end(), [](const RelatedGroup& a, const RelatedGroup& b) {
    return std::tuple(a.same_call, a.same_container, a.last_wall_ns) >
           std::tuple(b.same_call, b.same_container, b.last_wall_ns);
  });
  if (out.size() > kMaxGroups) out.resize(kMaxGroups);
  return out;
}

std::vector<std::string> provenance_sentences(const Judgement& judgement) {
  const profiles::Profile& profile = judgement.profile;
  const profiles::Ruling& ruling = judgement.ruling;
  const auto said = [&](const char* key) {
    const auto found = profile.provenance.find(key);
    return found == profile.provenance.end() ? std::string() : printable(found->second, 400);
  };
  std::vector<std::string> out;
  using Kind = profiles::Ruling::Kind;
  if (!ruling.signature.empty())
    out.push_back("a person signed for it: " + escape(ruling.signature, 400));
  const bool own_line = begins(ruling.rule.from, "listed in");
  if (ruling.kind == Kind::kActedUpon || ruling.kind == Kind::kLetRun ||
      ruling.kind == Kind::kNewer) {
    out.emplace_back("it was never learned: no rule of the profile lists it");
  } else if (!own_line) {
    out.push_back("it was not learned: it comes with " + printable(ruling.rule.from, 200));
  }
  if (const std::string runs = said("runs"); !runs.empty()) {
    const std::string workload = said("workload"), recorder = said("recorder");
    out.push_back("the profile was learned from " + runs + (runs == "1" ? " run" : " runs") +
                  (workload.empty() ? "" : " of " + workload) +
                  (recorder.empty() ? "" : ", recorder " + recorder) +
                  (said("generator").empty() ? "" : ", by " + said("generator")));
  } else {
    out.emplace_back("the profile does not say what it was learned from: people wrote it");
  }
  if (!judgement.recorded.empty()) out.push_back(judgement.recorded);
  if (const std::string coverage = said("coverage"); !coverage.empty()) out.push_back(coverage);
  return out;
}

std::string recorded_sentence(const ward::v1::Recording& recording, const std::string& syscall) {
  if (recording.runs().empty()) return "";
  std::int64_t first = recording.runs(0).started_wall_ns(), last = first;
  for (const ward::v1::Run& run : recording.runs()) {
    first = std::min(first, run.started_wall_ns());
    last = std::max({last, run.started_wall_ns(), run.ended_wall_ns()});
  }
  const std::string runs = std::to_string(recording.runs_size()) + " runs that are kept, from " +
                           local_time(first) + " to " + local_time(last);
  for (const ward::v1::SeenSyscall& seen : recording.syscalls()) {
    if (seen.name() != syscall) continue;
    return "recorded in " + std::to_string(seen.runs()) + " of the " + runs + ": " +
           std::to_string(seen.count()) + " times, first " + std::to_string(seen.first_seen_ms()) +
           " ms after a start";
  }
  return "recorded in none of the " + runs;
}

}  // namespace ward::cli
