// SPDX-License-Identifier: Apache-2.0
#include "cli/profile_compare.h"

#include <algorithm>
#include <set>

#include "profiles/baselines/baselines.h"
#include "profiles/compile.h"
#include "profiles/yaml/read_yaml.h"

namespace ward::cli {

std::string comparison_with_docker(std::string_view profile_yaml) {
  const auto profile = profiles::read_profile(profile_yaml, "profile");
  if (!profile) return {};
  const auto rules = profiles::compile(*profile);
  if (!rules) return {};
  // What counts is what would be in force: the calls of all layers, and those that every profile
  // gets.
  std::set<std::string> allowed;
  for (const auto& rule : rules->syscalls()) {
    if (const auto name = oci::find_syscall_name(static_cast<int>(rule.nr())))
      allowed.insert(*name);
  }
  std::set<std::string> runs = allowed;
  for (const auto& rule : rules->tolerated()) {
    if (const auto name = oci::find_syscall_name(static_cast<int>(rule.nr()))) runs.insert(*name);
  }
  const std::size_t recorded = runs.size() - allowed.size();
  const auto& docker = profiles::docker_default_unconditional();
  const auto closed = std::count_if(docker.begin(), docker.end(),
                                    [&](const std::string& name) { return !runs.contains(name); });
  return "in force: " + std::to_string(allowed.size()) + " calls with those every program gets" +
         (recorded == 0 ? "" : " and " + std::to_string(recorded) + " that are recorded") +
         "; Docker's default allows " + std::to_string(docker.size()) + "\n" +
         std::to_string(closed) + " calls that Docker's default allows are closed by this profile";
}

}  // namespace ward::cli
