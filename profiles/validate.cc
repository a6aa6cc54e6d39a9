// SPDX-License-Identifier: Apache-2.0
#include "profiles/validate.h"

#include <algorithm>
#include <set>

#include "lib/base/escape.h"
#include "lib/oci/capabilities.h"
#include "lib/oci/seccomp.h"
#include "profiles/amend_terms.h"
#include "profiles/argument_choices.h"
#include "profiles/baselines/baselines.h"
#include "profiles/effective.h"
#include "profiles/filter/seccomp_intersect.h"
#include "profiles/harm/bundle.h"
#include "profiles/harm/danger.h"
#include "profiles/left_out.h"
#include "profiles/name_template.h"
#include "profiles/words.h"
#include "profiles/yaml/write_yaml.h"

namespace ward::profiles {
namespace {

// More alternatives than this make a filter that nobody can review, and a long one to run.
constexpr std::size_t kMaxAlternatives = 64;
constexpr std::size_t kMaxComparisons = 256;  // noneOf needs many for one value
constexpr std::size_t kMaxListings =
    16;  // of one call in one layer, each with arguments of its own
constexpr std::uint64_t kLargestInt = 0xFFFFFFFF;
constexpr std::size_t kMinReason = 8;

class Findings {
 public:
  void error(std::string subject, std::string message) {
    list_.push_back({Finding::Severity::kError, std::move(subject), std::move(message)});
  }
  void warn(std::string subject, std::string message) {
    list_.push_back({Finding::Severity::kWarning, std::move(subject), std::move(message)});
  }
  [[nodiscard]] const std::vector<Finding>& list() const { return list_; }
  std::vector<Finding> take() { return std::move(list_); }

 private:
  std::vector<Finding> list_;
};

void check_filters(Findings& findings, const std::string& subject, const ArgFilters& args) {
  std::set<std::uint32_t> indexes;
  std::size_t alternatives = 1, comparisons = 1;
  for (const ArgFilter& filter : args) {
    if (filter.index > 5) findings.error(subject, "a call has six arguments: index is 0 to 5");
    if (!indexes.insert(filter.index).second) {
      findings.error(subject, "two filters on argument " + std::to_string(filter.index) +
                                  ": put all values into one oneOf");
    }
    if (filter.one_of.empty() && filter.none_of.empty())
      findings.error(subject,
                     "oneOf is empty: list the values that are allowed, or remove the filter");
    if (!filter.none_of.empty() && (filter.mask || !filter.one_of.empty()))
      findings.error(subject, "noneOf stands alone: it compares the lower 32 bits, without a mask");
    if (!std::is_sorted(filter.none_of.begin(), filter.none_of.end()))
      findings.error(subject, "noneOf is not sorted");
    if (!filter.none_of.empty() && filter.none_of.back() > kLargestInt)
      findings.error(subject, "noneOf compares the lower 32 bits: " +
                                  std::to_string(filter.none_of.back()) + " can never be equal");
    if (!std::is_sorted(filter.one_of.begin(), filter.one_of.end()))
      findings.error(subject, "oneOf is not sorted");
    for (const std::uint64_t value : filter.one_of) {
      if (filter.mask && (value & ~*filter.mask) != 0) {
        findings.error(subject, "value " + std::to_string(value) +
                                    " has bits outside of the mask, so it can never be equal");
      }
    }
    alternatives *= std::max<std::size_t>(filter.one_of.size(), 1);
    comparisons *= std::max<std::size_t>(choices_of(filter).size(), 1);
    if (alternatives > kMaxAlternatives || comparisons > kMaxComparisons) {
      findings.error(subject, "more than " + std::to_string(kMaxAlternatives) +
                                  " combinations of values: filter fewer arguments" +
                                  (filter.none_of.empty() ? "" : ", or exclude fewer values"));
      return;
    }
  }
}

void check_entry(Findings& findings, const Profile& profile, const std::string& subject,
                 const SyscallEntry& entry) {
  if (!oci::find_syscall(entry.name)) {
    findings.error(subject, "unknown syscall '" + escape(entry.name, 60) + "'" +
                                oci::hint_for_syscall(entry.name));
    return;
  }
  const auto alternatives = alternatives_of(entry);
  for (std::size_t i = 0; i < alternatives.size(); ++i) {
    check_filters(findings, i == 0 ? subject : subject + "." + std::to_string(i), alternatives[i]);
  }
  if (alternatives.size() > kMaxListings || (entry.name == "clone" && alternatives.size() > 1)) {
    findings.error(subject,
                   entry.name + " is listed " + std::to_string(alternatives.size()) +
                       " times: at most " +
                       (entry.name == "clone" ? "once" : std::to_string(kMaxListings) + " times"));
    return;
  }
  if (entry.name == "clone3") {
    findings.error(subject,
                   "clone3 cannot be allowed: it hides its flags behind a pointer. Remove it; the "
                   "C library falls back to clone");
    return;
  }
  const auto danger = find_unsigned_danger(entry, without_bundles(profile.accept));
  if (!danger) return;
  const bool by_value = danger->what != entry.name;
  findings.error(subject,
                 danger->what + " is in the danger set: " +
                     (by_value && entry.args.empty() ? "add args with oneOf that leaves it out, or"
                                                     : "remove it, or") +
                     " sign for it with accept: [" +
                     format_accept({entry.name, "why it is needed", danger->args, {}}) + "]");
}

void complain_unknown(Findings& findings, const std::string& subject,
                      const std::string& capability) {
  findings.error(subject, "unknown capability '" + escape(capability, 60) + "'" +
                              oci::hint_for_capability(capability));
}

void check_capability_accept(Findings& findings, const Profile& profile, const std::string& subject,
                             const std::string& capability) {
  if (!oci::find_capability(capability)) return complain_unknown(findings, subject, capability);
  if (!is_dangerous_capability(capability)) {
    findings.warn(
        subject,
        capability + " is not in the danger set and needs no signature: remove this accept");
  } else if (std::find(profile.capabilities.begin(), profile.capabilities.end(), capability) ==
             profile.capabilities.end()) {
    findings.warn(subject, "nothing grants " + capability +
                               ": list it under capabilities too, or remove this accept");
  }
}

std::string describe_unsigned(const DangerousCapability& capability) {
  const std::string name(capability.name);
  return name + " is in the danger set: it " + std::string(capability.reason) +
         ". Remove it, or sign for it with accept: [{capability: " + name +
         ", reason: why it is needed}]";
}

void check_capabilities(Findings& findings, const Profile& profile) {
  for (const std::string& capability : profile.capabilities) {
    const std::string subject = "capabilities." + capability;
    if (!oci::find_capability(capability)) {
      complain_unknown(findings, subject, capability);
      continue;
    }
    for (const DangerousCapability& dangerous : dangerous_capabilities()) {
      if (dangerous.name != capability || is_signed_for(profile.accept, capability)) continue;
      findings.error(subject, describe_unsigned(dangerous));
    }
  }
}

std::string list_unsigned(const SyscallSet& set, const std::vector<Accept>& accept) {
  std::string dangers;
  for (const auto& [call, entry] : set) {
    const std::string danger = describe_unsigned_danger(entry, accept);
    if (!danger.empty()) dangers += (dangers.empty() ? "" : ", ") + danger;
  }
  return dangers;
}

std::string describe_unsigned(const std::string& baseline, const std::string& dangers) {
  return "baseline " + baseline + " allows what is in the danger set (" + dangers +
         "): sign for each with accept, or extend container-default";
}

// What `extends` brings is signed for like what the profile lists itself.
void check_baselines(Findings& findings, const Profile& profile) {
  for (const std::string& name : profile.extends) {
    const SyscallSet* baseline = find_baseline(name);
    if (baseline == nullptr) {
      findings.error("extends",
                     "unknown baseline '" + escape(name, 60) + "': there are " + baseline_names());
      continue;
    }
    if (const std::string dangers = list_unsigned(*baseline, without_bundles(profile.accept));
        !dangers.empty()) {
      findings.error("extends", describe_unsigned(name, dangers));
    }
  }
}

// Where the filters of a baseline and of the profile look at different bits, their union is wider
// than both.
void check_unions(Findings& findings, const Profile& profile) {
  if (profile.extends.empty() || has_errors(findings.list())) return;
  const std::string dangers =
      list_unsigned(effective_layer(profile, Layer::kServing), without_bundles(profile.accept));
  if (dangers.empty()) return;
  findings.error("syscalls.serving",
                 "together with its baselines the profile allows what is in the danger set (" +
                     dangers + "): filter with the mask that the baseline has, or none");
}

// Is there something dangerous in the profile that only this signature, of all that were never
// given, would cover?
bool opens_something(const Profile& profile, const Accept& accept) {
  const auto covers_some = [&](const SyscallSet& set) {
    const auto found = set.find(accept.syscall);
    return found != set.end() && find_unsigned_dangers(found->second, {accept}).size() <
                                     find_unsigned_dangers(found->second, {}).size();
  };
  const auto in_baseline = [&](const std::string& name) {
    const SyscallSet* baseline = find_baseline(name);
    return baseline != nullptr && covers_some(*baseline);
  };
  return std::any_of(profile.syscalls.begin(), profile.syscalls.end(),
                     [&](const auto& layer) { return covers_some(layer.second); }) ||
         std::any_of(profile.extends.begin(), profile.extends.end(), in_baseline);
}

void check_left_out(Findings& findings, const Profile& profile) {
  for (const std::string& what : still_left_out(profile)) {
    findings.warn("provenance", "it was made without " + what +
                                    ", which the workload was seen to use: a violation until " +
                                    "it is listed and signed for");
  }
}

void check_rehearsal(Findings& findings, const Profile& profile) {
  if (!profile.rehearsal) return;
  findings.warn("rehearsal",
                "it was learned without a start, so it is for mode supervise alone, and mode "
                "enforce refuses it: generate it anew when a start was recorded, or remove this "
                "line when the calls of a start have been put in by hand");
}

void check_posture(Findings& findings, const Profile& profile) {
  if (profile.posture != Posture::kLenient) return;
  findings.warn("posture",
                "lenient acts on the danger set alone: new programs, processes and sockets are let "
                "run and recorded. For the first days; balanced stops them");
}

void check_bundle(Findings& findings, const Profile& profile, const std::string& subject,
                  const std::string& name) {
  const Bundle* bundle = find_bundle(name);
  if (bundle == nullptr) {
    findings.error(subject,
                   "unknown bundle '" + escape(name, 60) + "': there are " + bundle_names());
    return;
  }
  const auto& held = profile.capabilities;
  if (std::find(held.begin(), held.end(), bundle->too_much) == held.end()) return;
  const std::string capability(bundle->too_much);
  findings.error(subject, "bundle " + name + " is not for a workload with " + capability +
                              ", which " + std::string(bundle->why_not) + ": remove " + capability +
                              ", or sign for the call itself");
}

void check_accept(Findings& findings, const Profile& profile) {
  for (std::size_t i = 0; i < profile.accept.size(); ++i) {
    const Accept& accept = profile.accept[i];
    const std::string subject = "accept." + std::to_string(i);
    if (accept.reason.size() < kMinReason) {
      findings.error(subject, "accept needs a reason that a reviewer can judge (at least " +
                                  std::to_string(kMinReason) + " characters)");
    }
    if (!accept.bundle.empty()) {
      check_bundle(findings, profile, subject, accept.bundle);
      continue;
    }
    if (!accept.capability.empty()) {
      check_capability_accept(findings, profile, subject, accept.capability);
      continue;
    }
    if (!oci::find_syscall(accept.syscall)) {
      findings.error(subject, "unknown syscall '" + escape(accept.syscall, 60) + "'" +
                                  oci::hint_for_syscall(accept.syscall));
      continue;
    }
    check_filters(findings, subject, accept.args);
    if (std::any_of(accept.args.begin(), accept.args.end(),
                    [](const ArgFilter& f) { return !f.none_of.empty(); })) {
      findings.error(subject, "a signature says what it opens: name the values with oneOf");
    }
    if (!opens_something(profile, accept)) {
      findings.warn(subject, "nothing allows " + describe_call(accept.syscall, accept.args) +
                                 ": list " + format_entry(accept.syscall, accept.args) +
                                 " under syscalls too, or remove this accept");
    }
    if (accept.syscall.rfind("io_uring_", 0) == 0) {
      findings.warn(subject,
                    "io_uring runs operations that no filter sees: this profile is bypassable");
    }
  }
}

// From its number the order of calls is known; below rseq a profile would say that it has never
// heard of everyday calls, and nothing would be done about them.
void check_known(Findings& findings, const Profile& profile) {
  constexpr std::uint32_t kRseq = 334;
  if (!profile.knows) return;
  const std::string here =
      newest_known_here().name + " (" + std::to_string(newest_known_here().number) + ")";
  if (profile.knows->number < kRseq || profile.knows->number >= filter::kSyscallSearchEnd) {
    findings.error(
        "knows",
        "knows names the newest call that the profile's maker knew, with its number on x86_64: " +
            std::to_string(kRseq) + " (rseq) or more; here it is " + here);
    return;
  }
  const auto name = oci::find_syscall_name(static_cast<int>(profile.knows->number));
  const auto number = oci::find_syscall(profile.knows->name);
  const bool fits = (!name || *name == profile.knows->name) &&
                    (!number || *number == static_cast<int>(profile.knows->number));
  if (!fits) {
    findings.error(
        "knows", "number " + std::to_string(profile.knows->number) + " is not '" +
                     escape(profile.knows->name, 60) + "'" + (name ? " but '" + *name + "'" : "") +
                     ": name the newest call that the profile's maker knew; here it is " + here);
  }
}

// Such a call need not be signed for: nothing of it is ever let run.
void check_refused(Findings& findings, const Profile& profile) {
  for (const auto& [name, entry] : profile.refused) {
    const std::string subject = "refused." + name;
    if (!oci::find_syscall(name)) {
      findings.error(subject,
                     "unknown syscall '" + escape(name, 60) + "'" + oci::hint_for_syscall(name));
      continue;
    }
    check_filters(findings, subject, entry.args);
    if (name == "clone3")
      findings.warn(subject,
                    "clone3 is answered ENOSYS by every profile, unseen: remove it from refused");
  }
}

void check_reaction(Findings& findings, const std::string& subject, const Reaction& reaction) {
  if (!reaction.escalate_to) return;
  if (*reaction.escalate_to <= reaction.action) {
    findings.error(subject,
                   "escalate must be stricter than " + std::string(action_name(reaction.action)));
  }
  if (reaction.escalate_after == 0 || reaction.escalate_window.count() <= 0) {
    findings.error(subject, "escalate needs after (1 or more) and within (such as 10m)");
  }
}

void check_template(Findings& findings, const PolicyRule& rule, const std::string& subject,
                    std::string_view text) {
  if (text.empty()) return;
  if (const std::string error = check_name_template(text); !error.empty()) {
    findings.error(subject, error);
  } else if (const std::string choice = describe_tenants_choice(rule, text); !choice.empty()) {
    findings.warn(subject, choice);
  }
}

// CRI alone tells the shim of pods and images; containerd says nothing of them where a client runs
// a container.
void check_selector(Findings& findings, const Selector& selector, const std::string& subject) {
  if (!never_kubernetes(selector)) return;
  const std::pair<const char*, const std::vector<std::string>&> lists[] = {
      {"kubernetesNamespaces", selector.kubernetes_namespaces},
      {"pods", selector.pods},
      {"images", selector.images}};
  for (const auto& [key, globs] : lists) {
    if (globs.empty()) continue;
    findings.warn(subject + ".match." + key,
                  "matches nothing: namespace, pod and image are known of containers of Kubernetes "
                  "only, which are in "
                  "the containerd namespace k8s.io. Select by containers, or leave " +
                      std::string(key) + " out");
  }
}

}  // namespace

std::vector<Finding> validate(const Profile& profile) {
  Findings findings;
  if (!is_name(profile.name)) {
    findings.error("metadata.name",
                   "'" + escape(profile.name, 80) +
                       "' is not a name: use a-z, 0-9, '.', '_', '-', at most 63 characters");
  }
  if (profile.version == 0) findings.error("metadata.version", "version starts at 1");
  check_baselines(findings, profile);
  if (profile.architectures != std::vector<std::string>{"x86_64"}) {
    findings.error(
        "architectures",
        "only [x86_64] is supported: a filter that lists more can be walked round (int 0x80, x32)");
  }
  check_known(findings, profile);
  if (profile.boundary.quiet.count() <= 0 || profile.boundary.latest < profile.boundary.quiet) {
    findings.error("boundary", "quiet must be more than 0, and latest at least as long as quiet");
  }
  std::size_t calls = 0;
  for (const auto& [layer, entries] : profile.syscalls) {
    calls += entries.size();
    for (const auto& [name, entry] : entries) {
      check_entry(findings, profile, "syscalls." + std::string(layer_name(layer)) + "." + name,
                  entry);
    }
  }
  if (calls == 0)
    findings.warn("syscalls",
                  "no syscall is allowed besides the base set: no program gets far with it");
  check_accept(findings, profile);
  check_rehearsal(findings, profile);
  check_posture(findings, profile);
  check_left_out(findings, profile);
  check_unions(findings, profile);
  check_capabilities(findings, profile);
  check_refused(findings, profile);
  check_reaction(findings, "onViolation.workload", profile.on_workload);
  check_reaction(findings, "onViolation.exec", profile.on_exec);
  return findings.take();
}

namespace {

void check_storm_guard(Findings& findings, const PolicyRule& rule, const std::string& subject) {
  const StormGuard& guard = *rule.storm_guard;
  if (rule.mode != Mode::kEnforce) findings.warn(subject, "stormGuard counts in mode enforce only");
  if (guard.pods > guard.after)
    findings.error(subject,
                   "so many pods cannot be among so few containers: pods is at most after");
  if (rule.on_workload && *rule.on_workload <= guard.then)
    findings.warn(subject, "then: " + std::string(action_name(guard.then)) +
                               " is not milder than what the rule does about a violation");
}

}  // namespace

std::vector<Finding> validate(const Policy& policy) {
  Findings findings;
  if (!is_name(policy.name)) {
    findings.error("metadata.name",
                   "'" + escape(policy.name, 80) +
                       "' is not a name: use a-z, 0-9, '.', '_', '-', at most 63 characters");
  }
  if (policy.rules.empty()) findings.error("rules", "a policy needs at least one rule");
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const PolicyRule& rule = policy.rules[i];
    const std::string subject = "rules." + std::to_string(i);
    const bool needs_profile = rule.mode == Mode::kSupervise || rule.mode == Mode::kEnforce;
    if (needs_profile && rule.profile.empty()) {
      findings.error(subject, "mode " + std::string(mode_name(rule.mode)) +
                                  " needs 'profile', such as profile: '{container}'");
    }
    if (!needs_profile && !rule.profile.empty()) {
      findings.error(subject + ".profile", "mode " + std::string(mode_name(rule.mode)) +
                                               " uses no profile: remove it, or set mode: enforce");
    }
    if (rule.enforce_after && *rule.enforce_after == EnforceAfter{})
      findings.error(subject + ".enforceAfter",
                     "enforceAfter asks for nothing: give runs, "
                     "recorded or newInARunAtMost, or remove it");
    if (rule.enforce_after && rule.mode != Mode::kEnforce)
      findings.warn(subject + ".enforceAfter", "enforceAfter counts in mode enforce only");
    if (rule.storm_guard) check_storm_guard(findings, rule, subject + ".stormGuard");
    if (rule.amend) {
      if (const std::string why = why_no_amend(rule); !why.empty())
        findings.error(subject + ".amend", why);
      else if (is_weak(*rule.amend))
        findings.warn(subject + ".amend",
                      "asks for less than 3 containers over 24h, and what somebody has taken over "
                      "may have that");
    }
    if (!needs_profile && rule.sessions != Sessions::kLayer) {
      findings.warn(subject + ".exec", "mode " + std::string(mode_name(rule.mode)) +
                                           " lets exec sessions do all that they may without Ward: "
                                           "exec counts in modes supervise and enforce");
    }
    check_template(findings, rule, subject + ".profile", rule.profile);
    check_template(findings, rule, subject + ".workload", rule.workload);
    check_selector(findings, rule.selector, subject);
    if (i + 1 < policy.rules.size() && rule.selector == Selector{}) {
      findings.warn(subject, "matches every container, so the rules after it are never reached");
    }
  }
  return findings.take();
}

bool has_errors(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& f) { return f.severity == Finding::Severity::kError; });
}

}  // namespace ward::profiles
