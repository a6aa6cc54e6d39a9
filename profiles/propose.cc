// SPDX-License-Identifier: Apache-2.0
#include "profiles/propose.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include "lib/base/escape.h"
#include "lib/oci/seccomp.h"
#include "profiles/canonical.h"
#include "profiles/compile.h"
#include "profiles/diff.h"
#include "profiles/effective.h"
#include "profiles/filter/call_tables.h"
#include "profiles/harm/harm_table.h"
#include "profiles/merge.h"
#include "profiles/validate.h"

namespace ward::profiles {
namespace {

using Key = std::pair<std::string, Origin>;  // of a call, by name

Layer layer_of(Origin origin) { return origin == Origin::kExec ? Layer::kExec : Layer::kServing; }

void add_values(ObservedSyscall& observed, const std::string& name, const CallOutside& call) {
  for (const WatchedArgument& watched : kWatchedArguments) {
    if (watched.syscall != name) continue;
    ArgumentValues& kept = observed.arguments[watched.index];
    if (kept.values.size() < kMaxArgumentValues) {
      kept.values.insert(call.args.at(watched.index));
    } else if (!kept.values.contains(call.args.at(watched.index))) {
      kept.overflowed = true;
    }
  }
  if (name != kTupleCall) return;
  if (!observed.together) observed.together.emplace();
  ArgumentTuple tuple{};
  for (std::size_t i = 0; i < tuple.size(); ++i) tuple.at(i) = call.args.at(i);
  observed.together->values.insert(tuple);
}

// Events outlive versions: what this one allows is not proposed.
std::vector<CallOutside> still_outside(const filter::CallTable& calls,
                                       const std::vector<CallOutside>& seen) {
  std::vector<CallOutside> outside;
  std::copy_if(seen.begin(), seen.end(), std::back_inserter(outside), [&](const CallOutside& call) {
    return !calls.allows(
        call.nr, call.args,
        call.origin == Origin::kExec ? filter::kAllowedInExec : filter::kAllowedInServing);
  });
  return outside;
}

// As if it had been recorded: one run for each container.
Observations as_recorded(const std::string& name, const std::vector<CallOutside>& seen) {
  std::map<std::string, std::map<std::pair<int, Origin>, ObservedSyscall>> runs;
  for (const CallOutside& call : seen) {
    const auto syscall = oci::find_syscall_name(call.nr);
    if (!syscall) continue;
    ObservedSyscall& observed = runs[call.container][{call.nr, call.origin}];
    observed.nr = call.nr;
    observed.origin = call.origin;
    observed.count += call.count;
    add_values(observed, *syscall, call);
  }
  Observations out{name, "events", {}};
  for (auto& [container, calls] : runs) {
    Run run;
    run.id = container;
    run.container = container;
    run.no_new_privileges = true;
    for (auto& [key, observed] : calls) run.syscalls.push_back(std::move(observed));
    out.runs.push_back(std::move(run));
  }
  return out;
}

HarmClass harm_of(const CallOutside& call, const std::string& name) {
  KnownArguments arguments;
  for (std::size_t i = 0; i < call.args.size(); ++i) arguments.at(i) = call.args.at(i);
  return class_of(name, arguments);
}

// Where a person filtered the call by arguments that no recorder watches, the proposal does not
// open all of it. Nothing of the danger set, which the generator leaves out by itself.
void keep_filters(SyscallSet& added, const SyscallSet& listed, Origin origin,
                  const std::vector<CallOutside>& seen) {
  for (auto& [name, entry] : added) {
    const auto before = listed.find(name);
    if (before == listed.end() || before->second.args.empty() || !entry.args.empty()) continue;
    std::vector<ArgFilters> alternatives = alternatives_of(before->second);
    for (const CallOutside& call : seen) {
      if (call.origin != origin || oci::find_syscall_name(call.nr) != name ||
          harm_of(call, name) == HarmClass::kDanger)
        continue;
      ArgFilters filters;
      for (const ArgFilter& filter : before->second.args) {
        const std::uint64_t mask = filter.mask.value_or(~std::uint64_t{0});
        filters.push_back({filter.index, filter.mask, {call.args.at(filter.index) & mask}});
      }
      alternatives.push_back(std::move(filters));
    }
    entry = unite_alternatives(name, alternatives);
  }
}

std::map<Key, ProposedCall> summarize(const std::vector<CallOutside>& seen) {
  std::map<Key, ProposedCall> calls;
  for (const CallOutside& call : seen) {
    const auto name = oci::find_syscall_name(call.nr);
    if (!name) continue;
    const auto [place, first] = calls.try_emplace({*name, call.origin});
    ProposedCall& sum = place->second;
    const HarmClass harm = harm_of(call, *name);
    sum.syscall = *name;
    sum.origin = call.origin;
    sum.harm = first ? harm : std::max(sum.harm, harm);
    sum.count += call.count;
    sum.containers.insert(call.container);
    if (!call.phase.empty()) sum.phases.insert(call.phase);
    sum.first_wall_ns = first ? call.wall_ns : std::min(sum.first_wall_ns, call.wall_ns);
    sum.last_wall_ns = std::max(sum.last_wall_ns, call.wall_ns);
    sum.stopped = sum.stopped || !call.tolerated;
  }
  return calls;
}

std::string join(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string make_header(const Profile& in_force, const Proposal& proposal) {
  std::string text = "Proposed by ward from what happened under version " +
                     std::to_string(in_force.version) +
                     ". Review it like code: an attacker's calls are here too.";
  for (const ProposedCall& call : proposal.calls) {
    text += "\n  " + call.syscall + " (" + std::string(harm_class_name(call.harm)) + ", " +
            (call.stopped ? "a violation" : "let run") + "): " + std::to_string(call.count) +
            (call.count == 1 ? " time in " : " times in ") +
            std::to_string(call.containers.size()) +
            (call.containers.size() == 1 ? " container" : " containers") +
            (call.origin == Origin::kExec ? ", of exec sessions" : ", phase " + join(call.phases));
  }
  for (const LeftOut& left_out : proposal.generated.left_out)
    text += "\n  left out: " + describe(left_out);
  return text;
}

}  // namespace

Result<Proposal> propose(const Profile& in_force, const std::vector<CallOutside>& all) {
  const auto nothing = [&] {
    return fail(Code::kNotFound, "nothing to propose: profile '" + escape(in_force.name, 80) +
                                     "' lists every call that its containers were seen to make");
  };
  const auto compiled = compile(in_force);
  if (!compiled) return tl::unexpected<Error>(compiled.error());
  const std::vector<CallOutside> seen = still_outside(filter::to_table(*compiled), all);
  const Observations observations = as_recorded(in_force.name, seen);
  if (observations.runs.empty()) return nothing();
  GenerateOptions options;
  options.name = in_force.name;
  options.posture = in_force.posture;
  auto made = generate(observations, options);
  if (!made) return tl::unexpected<Error>(made.error());
  Proposal out;
  out.generated.left_out = std::move(made->left_out);
  Profile& profile = out.generated.profile;
  profile = normalize(in_force);
  profile.version = in_force.version + 1;
  for (const Origin origin : {Origin::kWorkload, Origin::kExec}) {
    SyscallSet added = made->profile.syscalls[layer_of(origin)];
    keep_filters(added, effective_layer(in_force, layer_of(origin)), origin, seen);
    profile.syscalls[layer_of(origin)] = merge(profile.syscalls[layer_of(origin)], added);
  }
  profile = normalize(profile);
  const ProfileDiff difference = diff(in_force, profile);
  if (difference.widened.empty() && out.generated.left_out.empty()) return nothing();
  std::set<std::string> widened;
  for (const SyscallChange& change : difference.widened) widened.insert(change.syscall);
  for (auto& [key, call] : summarize(seen))
    if (widened.contains(key.first)) out.calls.push_back(std::move(call));
  profile.provenance["proposedFrom"] = std::to_string(seen.size()) + " events of " +
                                       std::to_string(observations.runs.size()) + " containers";
  out.generated.header = make_header(in_force, out);
  for (const Finding& finding : validate(profile)) {
    if (finding.severity == Finding::Severity::kError)
      return fail(Code::kInvalidArgument, "the wider profile would not be valid: " +
                                              finding.subject + ": " + finding.message);
  }
  return out;
}

}  // namespace ward::profiles
