// SPDX-License-Identifier: Apache-2.0
#include "profiles/explain.h"

#include <algorithm>

#include "lib/base/escape.h"
#include "lib/oci/seccomp.h"
#include "profiles/baselines/baselines.h"
#include "profiles/diff.h"
#include "profiles/effective.h"
#include "profiles/harm/bundle.h"
#include "profiles/harm/danger.h"
#include "profiles/harm/harm_table.h"
#include "profiles/merge.h"
#include "profiles/posture.h"
#include "profiles/words.h"

namespace ward::profiles {
namespace {

std::vector<std::string> sources_of(const Profile& profile, Layer layer,
                                    const std::string& syscall) {
  std::vector<std::string> sources;
  const auto own = profile.syscalls.find(layer);
  if (own != profile.syscalls.end() && own->second.contains(syscall)) {
    sources.push_back("listed in " + std::string(layer_name(layer)));
  }
  if (layer != Layer::kServing) return sources;
  std::vector<std::string> baselines = {"ward-baseline"};
  for (const std::string& name : profile.extends) {
    if (name != "ward-baseline") baselines.push_back(name);
  }
  for (const std::string& name : baselines) {
    const SyscallSet* baseline = find_baseline(name);
    if (baseline != nullptr && baseline->contains(syscall)) sources.push_back("baseline " + name);
  }
  for (const Accept& accept : profile.accept) {
    const Bundle* bundle = find_bundle(accept.bundle);
    const auto has = [&](const SyscallEntry& call) { return call.name == syscall; };
    if (bundle != nullptr && std::any_of(bundle->calls.begin(), bundle->calls.end(), has))
      sources.push_back("bundle " + accept.bundle);
  }
  return sources;
}

// Of a call that no layer has. What neither is allowed nor let run is acted upon.
std::string posture_of(const Profile& profile, const Explanation& e) {
  const std::string by =
      e.syscall + " is not listed, and posture " + std::string(posture_name(profile.posture));
  const std::string all = describe_arguments(SyscallEntry{e.syscall, {}});
  if (e.posture_allows == all) return by + " allows it.";
  if (e.posture_lets_run == all && e.danger.empty()) return by + " lets it run and records it.";
  return by + " lets some of it run; the rest is met with " +
         std::string(action_name(profile.on_workload.action)) + ", of an exec session with " +
         std::string(action_name(profile.on_exec.action)) + ".";
}

void add_posture(const Profile& profile, Explanation& e) {
  e.harm = std::string(harm_class_name(class_of(e.syscall)));
  const SyscallSet allowed = allowed_by(profile.posture);
  const SyscallSet in_filter = merge(effective_layer(profile, Layer::kServing), allowed);
  const auto say = [&](const SyscallSet& set) {
    const auto found = set.find(e.syscall);
    return found == set.end() ? std::string() : describe_arguments(found->second);
  };
  e.posture_allows = say(allowed);
  e.posture_lets_run = say(tolerated_by(profile.posture, in_filter));
  const HarmCall* call = find_harm_call(e.syscall);
  const auto known = in_filter.find(e.syscall);
  const bool whole = known != in_filter.end() && known->second.args.empty();
  e.own_numbers = !whole && call != nullptr && profile.posture != Posture::kStrict &&
                  !own_alternatives_at_most(*call, tolerated_at_most(profile.posture)).empty();
}

std::string verdict_of(const Profile& profile, const Explanation& e) {
  if (e.syscall == "clone3")
    return "clone3 is answered ENOSYS by every profile, because it hides its flags behind a "
           "pointer; libc falls back "
           "to clone.";
  if (e.allowed.empty() && is_newer_than(profile, oci::find_syscall(e.syscall).value_or(0))) {
    return e.syscall + " is newer than all calls that the profile knows (up to " +
           profile.knows->name + "): it is answered ENOSYS, as by an older kernel, and recorded.";
  }
  if (e.allowed.empty() &&
      (!e.posture_allows.empty() || !e.posture_lets_run.empty() || e.own_numbers))
    return posture_of(profile, e);
  if (e.allowed.empty()) {
    return e.syscall + " is not allowed: the workload is met with " +
           std::string(action_name(profile.on_workload.action)) + ", an exec session with " +
           std::string(action_name(profile.on_exec.action)) + ".";
  }
  const auto in = [&](Layer layer) {
    return std::any_of(e.allowed.begin(), e.allowed.end(),
                       [&](const Allowance& a) { return a.layer == layer; });
  };
  if (in(Layer::kServing)) return e.syscall + " is allowed at any time.";
  if (in(Layer::kBoot))
    return e.syscall + " is allowed until the workload serves, and to exec sessions.";
  return e.syscall + " is allowed to exec sessions only.";
}

}  // namespace

Result<Explanation> explain(const Profile& profile, std::string_view syscall) {
  if (!oci::find_syscall(syscall)) {
    return fail(Code::kInvalidArgument,
                "unknown syscall '" + escape(syscall, 60) + "'" + oci::hint_for_syscall(syscall));
  }
  Explanation e;
  e.syscall = syscall;
  for (const Layer layer : {Layer::kServing, Layer::kBoot, Layer::kExec}) {
    const SyscallSet effective = effective_layer(profile, layer);
    const auto found = effective.find(e.syscall);
    if (found == effective.end()) continue;
    e.allowed.push_back(
        {layer, describe_arguments(found->second), sources_of(profile, layer, e.syscall)});
  }
  add_posture(profile, e);
  e.danger = describe_danger(SyscallEntry{e.syscall, {}});
  for (const Accept& accept : without_bundles(profile.accept)) {
    if (accept.syscall == e.syscall)
      e.signature += (e.signature.empty() ? "" : "; ") + accept.reason;
  }
  if (const auto found = profile.refused.find(e.syscall); found != profile.refused.end())
    e.refused = describe_arguments(found->second);
  const SyscallSet& docker = *find_baseline("docker-default");
  if (const auto found = docker.find(e.syscall); found != docker.end())
    e.in_docker_default = describe_arguments(found->second);
  e.family = family_of(e.syscall);
  std::erase(e.family, e.syscall);
  e.verdict = verdict_of(profile, e);
  return e;
}

std::string format_explanation(const Explanation& e) {
  std::string text = e.verdict + "\n";
  for (const Allowance& allowance : e.allowed) {
    text += "  " + std::string(layer_name(allowance.layer)) + ": " + allowance.arguments;
    for (std::size_t i = 0; i < allowance.sources.size(); ++i)
      text += (i == 0 ? " (" : ", ") + allowance.sources[i];
    text += allowance.sources.empty() ? "\n" : ")\n";
  }
  if (!e.posture_allows.empty()) text += "  allowed by the posture: " + e.posture_allows + "\n";
  if (!e.posture_lets_run.empty())
    text += "  let run and recorded by the posture: " + e.posture_lets_run +
            (e.danger.empty() ? "" : ", but for the danger set") + "\n";
  if (e.own_numbers)
    text += "  let run and recorded where the number of a process is the caller's own\n";
  text += "  harm class: " + e.harm + "\n";
  if (!e.danger.empty())
    text += "  danger set: " + e.danger +
            (e.signature.empty() ? "" : ", signed for: " + escape(e.signature)) + "\n";
  if (!e.refused.empty())
    text += "  refused: with " + e.refused +
            " the container's own filter may refuse it, and nothing else happens\n";
  text += "  Docker's default: " +
          (e.in_docker_default.empty() ? std::string("not allowed") : e.in_docker_default) + "\n";
  if (!e.family.empty()) {
    text += "  learned together with:";
    for (const std::string& name : e.family) text += " " + name;
    text += "\n";
  }
  return text;
}

}  // namespace ward::profiles
