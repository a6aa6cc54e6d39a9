// SPDX-License-Identifier: Apache-2.0
#include "profiles/validate.h"

#include <algorithm>
#include <set>

#include "lib/base/escape.h"
#include "lib/oci/capabilities.h"
#include "lib/oci/seccomp.h"
#include "profiles/baselines/baselines.h"
#include "profiles/danger.h"
#include "profiles/words.h"

namespace ward::profiles {
namespace {

// More alternatives than this make a filter that nobody can review, and a long one to run.
constexpr std::size_t kMaxAlternatives = 64;
constexpr std::size_t kMinReason = 8;

class Findings {
 public:
  void error(std::string subject, std::string message) {
    list_.push_back({Finding::Severity::kError, std::move(subject), std::move(message)});
  }
  void warn(std::string subject, std::string message) {
    list_.push_back({Finding::Severity::kWarning, std::move(subject), std::move(message)});
  }
  std::vector<Finding> take() { return std::move(list_); }

 private:
  std::vector<Finding> list_;
};

void check_filters(Findings& findings, const std::string& subject, const std::vector<ArgFilter>& args) {
  std::set<std::uint32_t> indexes;
  std::size_t alternatives = 1;
  for (const ArgFilter& filter : args) {
    if (filter.index > 5) findings.error(subject, "a call has six arguments: index is 0 to 5");
    if (!indexes.insert(filter.index).second) {
      findings.error(subject,
                     "two filters on argument " + std::to_string(filter.index) + ": put all values into one oneOf");
    }
    if (filter.one_of.empty())
      findings.error(subject, "oneOf is empty: list the values that are allowed, or remove the filter");
    if (!std::is_sorted(filter.one_of.begin(), filter.one_of.end())) findings.error(subject, "oneOf is not sorted");
    for (const std::uint64_t value : filter.one_of) {
      if (filter.mask && (value & ~*filter.mask) != 0) {
        findings.error(subject,
                       "value " + std::to_string(value) + " has bits outside of the mask, so it can never be equal");
      }
    }
    alternatives *= std::max<std::size_t>(filter.one_of.size(), 1);
    if (alternatives > kMaxAlternatives) {
      findings.error(
          subject, "more than " + std::to_string(kMaxAlternatives) + " combinations of values: filter fewer arguments");
      return;
    }
  }
}

void check_entry(Findings& findings, const Profile& profile, const std::string& subject, const SyscallEntry& entry) {
  if (!oci::find_syscall(entry.name)) {
    findings.error(subject, "unknown syscall '" + escape(entry.name, 60) + "' (did you mean '" +
                                oci::nearest_syscall_name(entry.name) + "'?)");
    return;
  }
  check_filters(findings, subject, entry.args);
  if (entry.name == "clone3") {
    findings.error(
        subject,
        "clone3 cannot be allowed: it hides its flags behind a pointer. Remove it; the C library falls back to clone");
    return;
  }
  const std::string danger = describe_unsigned_danger(entry, profile.accept);
  if (danger.empty()) return;
  const bool by_value = danger != entry.name;
  findings.error(subject,
                 danger + " is in the danger set: " +
                     (by_value && entry.args.empty() ? "add args with oneOf that leaves it out, or" : "remove it, or") +
                     " sign for it with accept: [{syscall: " + entry.name + ", reason: why it is needed}]");
}

void check_accept(Findings& findings, const Profile& profile) {
  for (std::size_t i = 0; i < profile.accept.size(); ++i) {
    const Accept& accept = profile.accept[i];
    const std::string subject = "accept." + std::to_string(i);
    if (!oci::find_syscall(accept.syscall)) {
      findings.error(subject, "unknown syscall '" + escape(accept.syscall, 60) + "' (did you mean '" +
                                  oci::nearest_syscall_name(accept.syscall) + "'?)");
      continue;
    }
    check_filters(findings, subject, accept.args);
    if (accept.reason.size() < kMinReason) {
      findings.error(subject, "accept needs a reason that a reviewer can judge (at least " +
                                  std::to_string(kMinReason) + " characters)");
    }
    const bool used = std::any_of(profile.syscalls.begin(), profile.syscalls.end(),
                                  [&](const auto& layer) { return layer.second.contains(accept.syscall); });
    if (!used)
      findings.warn(subject,
                    "nothing allows " + accept.syscall + ": list it under syscalls too, or remove this accept");
    if (accept.syscall.rfind("io_uring_", 0) == 0) {
      findings.warn(subject, "io_uring runs operations that no filter sees: this profile is bypassable");
    }
  }
}

void check_reaction(Findings& findings, const std::string& subject, const Reaction& reaction) {
  if (!reaction.escalate_to) return;
  if (*reaction.escalate_to <= reaction.action) {
    findings.error(subject, "escalate must be stricter than " + std::string(action_name(reaction.action)));
  }
  if (reaction.escalate_after == 0 || reaction.escalate_window.count() <= 0) {
    findings.error(subject, "escalate needs after (1 or more) and within (such as 10m)");
  }
}

void check_template(Findings& findings, const std::string& subject, std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '{') {
      plain += text[i++];
      continue;
    }
    const std::size_t close = text.find('}', i);
    const std::string_view word = text.substr(i, close == std::string_view::npos ? close : close - i + 1);
    if (word != "{container}" && word != "{pod}" && word != "{namespace}") {
      findings.error(subject, "'" + escape(word, 60) + "' is not a placeholder: use {container}, {pod} or {namespace}");
      return;
    }
    plain += "x";
    i = close + 1;
  }
  if (!is_name(plain)) {
    findings.error(subject,
                   "'" + escape(text, 80) + "' is not a name: use a-z, 0-9, '.', '_', '-', at most 63 characters");
  }
}

}  // namespace

std::vector<Finding> validate(const Profile& profile) {
  Findings findings;
  if (!is_name(profile.name)) {
    findings.error("metadata.name", "'" + escape(profile.name, 80) +
                                        "' is not a name: use a-z, 0-9, '.', '_', '-', at most 63 characters");
  }
  if (profile.version == 0) findings.error("metadata.version", "version starts at 1");
  for (const std::string& baseline : profile.extends) {
    if (find_baseline(baseline) == nullptr) {
      findings.error("extends", "unknown baseline '" + escape(baseline, 60) + "': there are " + baseline_names());
    }
  }
  if (profile.architectures != std::vector<std::string>{"x86_64"}) {
    findings.error("architectures",
                   "only [x86_64] is supported: a filter that lists more can be walked round (int 0x80, x32)");
  }
  if (profile.boundary.quiet.count() <= 0 || profile.boundary.latest < profile.boundary.quiet) {
    findings.error("boundary", "quiet must be more than 0, and latest at least as long as quiet");
  }
  std::size_t calls = 0;
  for (const auto& [layer, entries] : profile.syscalls) {
    calls += entries.size();
    for (const auto& [name, entry] : entries) {
      check_entry(findings, profile, "syscalls." + std::string(layer_name(layer)) + "." + name, entry);
    }
  }
  if (calls == 0) findings.warn("syscalls", "no syscall is allowed besides the base set: no program gets far with it");
  check_accept(findings, profile);
  for (const std::string& capability : profile.capabilities) {
    if (!oci::find_capability(capability)) {
      findings.error("capabilities", "unknown capability '" + escape(capability, 60) + "' (did you mean '" +
                                         oci::nearest_capability_name(capability) + "'?)");
    }
  }
  check_reaction(findings, "onViolation.workload", profile.on_workload);
  check_reaction(findings, "onViolation.exec", profile.on_exec);
  return findings.take();
}

std::vector<Finding> validate(const Policy& policy) {
  Findings findings;
  if (!is_name(policy.name)) {
    findings.error("metadata.name", "'" + escape(policy.name, 80) +
                                        "' is not a name: use a-z, 0-9, '.', '_', '-', at most 63 characters");
  }
  if (policy.rules.empty()) findings.error("rules", "a policy needs at least one rule");
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const PolicyRule& rule = policy.rules[i];
    const std::string subject = "rules." + std::to_string(i);
    const bool needs_profile = rule.mode == Mode::kSupervise || rule.mode == Mode::kEnforce;
    if (needs_profile && rule.profile.empty()) {
      findings.error(subject,
                     "mode " + std::string(mode_name(rule.mode)) + " needs 'profile', such as profile: '{container}'");
    }
    if (!needs_profile && !rule.profile.empty()) {
      findings.error(subject + ".profile",
                     "mode " + std::string(mode_name(rule.mode)) + " uses no profile: remove it, or set mode: enforce");
    }
    if (!rule.profile.empty()) check_template(findings, subject + ".profile", rule.profile);
    if (!rule.workload.empty()) check_template(findings, subject + ".workload", rule.workload);
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
