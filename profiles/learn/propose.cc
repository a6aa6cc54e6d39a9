// SPDX-License-Identifier: Apache-2.0
#include "profiles/learn/propose.h"

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
#include "profiles/free_calls.h"
#include "profiles/harm/danger.h"
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

// Events outlive versions: what this one lists is not proposed. What its posture alone allows was
// seen in a window of the recorder; a violation of an older version is settled by it.
std::vector<CallOutside> still_outside(const filter::CallTable& calls, const FreeCalls& free,
                                       const std::vector<CallOutside>& seen) {
  std::vector<CallOutside> outside;
  std::copy_if(seen.begin(), seen.end(), std::back_inserter(outside), [&](const CallOutside& call) {
    const bool exec = call.origin == Origin::kExec;
    if (!calls.allows(call.nr, call.args,
                      exec ? filter::kAllowedInExec : filter::kAllowedInServing))
      return true;
    return call.tolerated &&
           free.way_of(call.nr, call.args, exec ? filter::Phase::kExec : filter::Phase::kServing);
  });
  return outside;
}

// As if it had been recorded: one run for each container.
Observations as_recorded(const std::string& name, const std::vector<CallOutside>& seen,
                         const std::vector<CapabilityOutside>& capabilities) {
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
  std::map<std::string, std::vector<ObservedCapability>> used;
  for (const CapabilityOutside& one : capabilities) {
    runs.try_emplace(one.container);
    used[one.container].push_back({one.name, one.origin, 1});
  }
  Observations out{name, "events", {}};
  for (auto& [container, calls] : runs) {
    Run run;
    run.capabilities = std::move(used[container]);
    run.id = container;
    run.container = container;
    run.no_new_privileges = true;
    for (auto& [key, observed] : calls) run.syscalls.push_back(std::move(observed));
    out.runs.push_back(std::move(run));
  }
  return out;
}

KnownArguments arguments_of(const CallOutside& call) {
  KnownArguments arguments;
  for (std::size_t i = 0; i < call.args.size(); ++i) arguments.at(i) = call.args.at(i);
  return arguments;
}

// Without those of the danger set, which a proposal never allows.
std::map<Key, std::vector<const CallOutside*>> by_call(const std::vector<CallOutside>& seen) {
  std::map<Key, std::vector<const CallOutside*>> calls;
  for (const CallOutside& call : seen) {
    const auto name = oci::find_syscall_name(call.nr);
    if (name && class_of(*name, arguments_of(call)) < HarmClass::kDanger)
      calls[{*name, call.origin}].push_back(&call);
  }
  return calls;
}

// Let run because it does little harm. Of new reach that a lenient posture lets run the arguments
// say as much, or as little, as of a violation.
bool is_mild(const CallOutside& call) {
  const auto name = oci::find_syscall_name(call.nr);
  return call.tolerated && name && class_of(*name, arguments_of(call)) <= HarmClass::kHeld;
}

// Calls that are many calls, told apart by a number: what one of them did says nothing of another.
std::vector<std::uint32_t> indexes_of(const std::string& name, const std::vector<ArgFilters>& own) {
  std::set<std::uint32_t> indexes;
  if (name == "ioctl" || name == "fcntl") indexes = {1};
  if (name == "setsockopt" || name == "getsockopt") indexes = {1, 2};
  if (name == "prctl") indexes = {0};
  // Where a person filtered the call, its values at that place.
  for (const ArgFilters& filters : own)
    for (const ArgFilter& filter : filters) indexes.insert(filter.index);
  return {indexes.begin(), indexes.end()};
}

// Values of one argument become one list.
std::vector<ArgFilters> exactly(const std::vector<const CallOutside*>& seen,
                                const std::vector<std::uint32_t>& indexes) {
  std::set<std::vector<std::uint64_t>> values;
  for (const CallOutside* call : seen) {
    std::vector<std::uint64_t> at;
    at.reserve(indexes.size());
    for (const std::uint32_t index : indexes) at.push_back(call->args.at(index));
    values.insert(std::move(at));
  }
  std::vector<ArgFilters> alternatives;
  for (const auto& at : values) {
    if (indexes.size() == 1 && !alternatives.empty()) {
      alternatives.front().front().one_of.push_back(at.front());
      continue;
    }
    ArgFilters filters;
    for (std::size_t i = 0; i < indexes.size(); ++i)
      filters.push_back({indexes[i], std::nullopt, {at[i]}});
    alternatives.push_back(std::move(filters));
  }
  return alternatives;
}

// As far as the harm class of each goes.
std::vector<ArgFilters> as_classed(const std::string& name,
                                   const std::vector<const CallOutside*>& seen) {
  std::vector<ArgFilters> alternatives;
  const HarmCall* row = find_harm_call(name);
  for (const CallOutside* call : seen) {
    if (auto one = row != nullptr ? alternative_of(*row, arguments_of(*call)) : std::nullopt;
        one && std::find(alternatives.begin(), alternatives.end(), *one) == alternatives.end())
      alternatives.push_back(std::move(*one));
  }
  return alternatives;
}

// What is to be added to one layer. `generated`: as from a recording of the violations alone.
SyscallSet added_to(Origin origin, const SyscallSet& generated, const SyscallSet& listed,
                    const std::vector<CallOutside>& seen) {
  SyscallSet added = generated;
  for (const auto& [key, events] : by_call(seen)) {
    const auto& [name, of] = key;
    if (of != origin) continue;
    const auto before = listed.find(name);
    const auto own =
        before == listed.end() ? std::vector<ArgFilters>() : alternatives_of(before->second);
    const auto indexes = indexes_of(name, own);
    const bool only_mild = std::all_of(events.begin(), events.end(),
                                       [](const CallOutside* call) { return is_mild(*call); });
    std::vector<ArgFilters> alternatives;
    if (only_mild) {
      alternatives = as_classed(name, events);
    } else if (name == "clone") {
      alternatives = {{{0, kNamespaceFlags, {0}}}};  // its other flags say nothing about harm
    } else if (!indexes.empty() && name != kTupleCall) {
      alternatives = exactly(events, indexes);
    }
    if (!alternatives.empty()) added[name] = unite_alternatives(name, alternatives);
  }
  return added;
}

// Alternative by alternative: joined argument by argument, two listings would allow mixtures.
// Gives what did not fit.
std::vector<std::string> add(SyscallSet& listed, const SyscallSet& added) {
  constexpr std::size_t kMostListings = 16;  // validate()
  std::vector<std::string> too_many;
  for (const auto& [name, entry] : added) {
    const auto before = listed.find(name);
    SyscallEntry both = entry;
    if (before != listed.end()) {
      auto alternatives = alternatives_of(before->second);
      const auto more = alternatives_of(entry);
      alternatives.insert(alternatives.end(), more.begin(), more.end());
      both = unite_alternatives(name, alternatives);
    }
    if (both.more.size() >= (name == "clone" ? 1 : kMostListings)) {
      too_many.push_back(name);
    } else {
      listed[name] = std::move(both);
    }
  }
  return too_many;
}

ProposedCall summarize(const std::string& name, Origin origin,
                       const std::vector<const CallOutside*>& seen) {
  ProposedCall sum;
  sum.syscall = name;
  sum.origin = origin;
  sum.harm = seen.empty() ? class_of(name) : HarmClass::kSelf;
  for (const CallOutside* call : seen) {
    sum.harm = std::max(sum.harm, class_of(name, arguments_of(*call)));
    sum.count += call->count;
    sum.containers.insert(call->container);
    if (!call->phase.empty()) sum.phases.insert(call->phase);
    const bool first = call == seen.front();
    sum.first_wall_ns = first ? call->wall_ns : std::min(sum.first_wall_ns, call->wall_ns);
    sum.last_wall_ns = std::max(sum.last_wall_ns, call->wall_ns);
    sum.stopped = sum.stopped || !call->tolerated;
  }
  return sum;
}

// What the second allows and the first does not, whether it was seen or not.
std::vector<ProposedCall> calls_of(const ProfileDiff& difference,
                                   const std::vector<CallOutside>& seen) {
  const auto events = by_call(seen);
  std::set<Key> widened;
  for (const SyscallChange& change : difference.widened)
    widened.insert(
        {change.syscall, change.layer == Layer::kExec ? Origin::kExec : Origin::kWorkload});
  std::vector<ProposedCall> calls;
  for (const Key& key : widened) {
    const auto found = events.find(key);
    calls.push_back(
        summarize(key.first, key.second,
                  found == events.end() ? std::vector<const CallOutside*>() : found->second));
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
    text += "\n  " + call.syscall + " (" + std::string(harm_class_name(call.harm)) + ", ";
    if (call.count == 0) {
      text += "not seen, of the family of another)";
      continue;
    }
    text += std::string(call.stopped ? "a violation" : "let run") +
            "): " + std::to_string(call.count) + (call.count == 1 ? " time in " : " times in ") +
            std::to_string(call.containers.size()) +
            (call.containers.size() == 1 ? " container" : " containers") +
            (call.origin == Origin::kExec ? ", of exec sessions" : ", phase " + join(call.phases));
  }
  for (const std::string& capability : proposal.capabilities) text += "\n  " + capability;
  for (const LeftOut& left_out : proposal.generated.left_out)
    text += "\n  left out: " + describe(left_out);
  return text;
}

// Of violations and of new reach. Nothing where there was none.
Result<Generated> generate_of_reach(const Profile& in_force, const std::vector<CallOutside>& seen,
                                    const std::vector<CapabilityOutside>& capabilities) {
  std::vector<CallOutside> reach;
  std::copy_if(seen.begin(), seen.end(), std::back_inserter(reach),
               [](const CallOutside& call) { return !is_mild(call); });
  const Observations observations = as_recorded(in_force.name, reach, capabilities);
  if (observations.runs.empty()) return Generated();
  GenerateOptions options;
  options.name = in_force.name;
  options.posture = in_force.posture;
  return generate(observations, options);
}

}  // namespace

Result<Proposal> propose(const Profile& in_force, std::uint64_t version,
                         const std::vector<CallOutside>& all,
                         const std::vector<CapabilityOutside>& capabilities) {
  const auto nothing = [&] {
    return fail(Code::kNotFound, "nothing to propose: profile '" + escape(in_force.name, 80) +
                                     "' lists every call that its containers were seen to make");
  };
  const auto compiled = compile(in_force);
  if (!compiled) return tl::unexpected<Error>(compiled.error());
  const auto free = FreeCalls::of(in_force);
  if (!free) return tl::unexpected<Error>(free.error());
  const std::vector<CallOutside> seen = still_outside(filter::to_table(*compiled), *free, all);
  if (seen.empty() && capabilities.empty()) return nothing();
  Proposal out;
  auto generated = generate_of_reach(in_force, seen, capabilities);
  if (!generated) return tl::unexpected<Error>(generated.error());
  out.generated.left_out = std::move(generated->left_out);
  Profile& profile = out.generated.profile;
  profile = normalize(in_force);
  profile.version = version;
  for (const Origin origin : {Origin::kWorkload, Origin::kExec}) {
    SyscallSet& listed = profile.syscalls[layer_of(origin)];
    const SyscallSet added = added_to(origin, generated->profile.syscalls[layer_of(origin)],
                                      effective_layer(in_force, layer_of(origin)), seen);
    for (const std::string& name : add(listed, added))
      out.generated.warnings.push_back(name +
                                       " was called in too many ways to list them: left out");
  }
  for (const std::string& name : generated->profile.capabilities) {
    const auto& listed = profile.capabilities;
    if (std::find(listed.begin(), listed.end(), name) == listed.end())
      out.capabilities.push_back(name);
  }
  profile.capabilities.insert(profile.capabilities.end(), out.capabilities.begin(),
                              out.capabilities.end());
  profile = normalize(profile);
  const ProfileDiff difference = diff(in_force, profile);
  if (difference.widened.empty() && out.capabilities.empty() && out.generated.left_out.empty())
    return nothing();
  out.calls = calls_of(difference, seen);
  std::set<std::string> containers;
  for (const CallOutside& call : seen) containers.insert(call.container);
  for (const CapabilityOutside& one : capabilities) containers.insert(one.container);
  profile.provenance["proposedFrom"] = std::to_string(seen.size() + capabilities.size()) +
                                       " events of " + std::to_string(containers.size()) +
                                       " containers";
  out.generated.header = make_header(in_force, out);
  for (const Finding& finding : validate(profile)) {
    if (finding.severity == Finding::Severity::kError)
      return fail(Code::kInvalidArgument, "the wider profile would not be valid: " +
                                              finding.subject + ": " + finding.message);
  }
  return out;
}

}  // namespace ward::profiles
