// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/process_freezer.h"

#include "lib/linux/cgroup.h"

namespace ward {

bool is_frozen(pid_t init) {
  const auto cgroups = open_cgroups_of(init);
  if (!cgroups) return false;
  return (cgroups->unified && cgroups->unified->is_frozen().value_or(false)) ||
         (cgroups->freezer && cgroups->freezer->is_frozen().value_or(false));
}

void thaw(pid_t init) {
  auto cgroups = open_cgroups_of(init);
  if (!cgroups) return;
  for (auto* cgroup : {&cgroups->unified, &cgroups->freezer}) {
    if (*cgroup) (void)(*cgroup)->request_freeze(false);
  }
}

void let_die(pid_t pid) {
  auto cgroups = open_cgroups_of(pid);
  if (cgroups && cgroups->freezer && cgroups->freezer->is_frozen().value_or(false)) {
    (void)cgroups->freezer->move_to_parent(pid);
  }
}

}  // namespace ward
