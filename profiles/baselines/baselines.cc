// SPDX-License-Identifier: Apache-2.0
#include "profiles/baselines/baselines.h"

#include "profiles/baselines/tables.h"

namespace ward::profiles {

const SyscallSet* find_baseline(std::string_view name) {
  if (name == "ward-baseline") return &ward_baseline();
  if (name == "docker-default") return &docker_default();
  if (name == "container-default") return &container_default();
  return nullptr;
}

std::string baseline_names() { return "ward-baseline, docker-default and container-default"; }

const Profile& baseline_profile() {
  static const Profile profile = [] {
    Profile made;
    made.name = "container-default";
    made.architectures = {"x86_64"};
    made.knows = NewestKnown{466, "removexattrat"};  // as the tables
    made.no_new_privileges =
        false;  // the node's fallback must start what Docker's default would start
    made.syscalls[Layer::kServing] = container_default();
    made.capabilities = docker_default_capabilities();
    // A fallback that was never learned is wrong sooner or later: it denies, it does not end the
    // workload.
    made.on_workload = Reaction{Action::kDeny, {}, 0, {}};
    return made;
  }();
  return profile;
}

}  // namespace ward::profiles
