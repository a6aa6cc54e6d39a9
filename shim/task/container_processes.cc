// SPDX-License-Identifier: Apache-2.0
// Which processes a container has: the answer to Pids.
#include <vector>

#include "lib/json/json.h"
#include "lib/linux/cgroup.h"
#include "shim/task/container.h"

namespace ward::shim::task {
namespace {

// `runc ps --format json` is an array of numbers.
Result<std::vector<pid_t>> parse_pids(const std::string& text) {
  const auto json = parse_json<nlohmann::json>(text);
  if (!json.is_array()) return fail(Code::kInternal, "the runtime's ps is no list");
  std::vector<pid_t> pids;
  for (const auto& pid : json) {
    if (pid.is_number_integer()) pids.push_back(pid.get<pid_t>());
  }
  return pids;
}

Result<std::vector<pid_t>> read_cgroup_pids(pid_t init) {
  auto cgroups = open_cgroups_of(init);
  if (!cgroups) return tl::unexpected(cgroups.error());
  return cgroups->unified ? cgroups->unified->pids() : cgroups->freezer->pids();
}

}  // namespace

void Container::list_processes(std::function<void(Result<std::vector<TaskProcess>>)> done) {
  auto name_them = [self = shared_from_this(),
                    done = std::move(done)](const Result<std::vector<pid_t>>& pids) {
    if (!pids) return done(tl::unexpected(pids.error()));
    std::vector<TaskProcess> result;
    for (const pid_t pid : *pids) {
      result.push_back({pid, {}});
      for (const auto& [id, exec] : self->execs_) {
        if (exec->pid() == pid && !exec->reaped()) result.back().exec_id = id;
      }
    }
    done(std::move(result));
  };
  // containerd from 1.7 on takes a task without processes for one that its own death left half
  // made: when it starts again it deletes it, and the exit code with it. A task that ended and was
  // not deleted yet is none of these.
  if (init_->reaped()) return name_them(std::vector<pid_t>{init_->pid()});
  auto pids = read_cgroup_pids(init_->pid());
  if (pids && !pids->empty()) return name_them(pids);
  // A container without a cgroup of its own: the runtime may know better.
  runtime::RuncCall call;
  call.arguments = {"ps", "--format", "json", spec_.id};
  runc_.run(std::move(call), [name_them](const Result<std::string>& result) {
    name_them(result ? parse_pids(*result) : tl::unexpected(result.error()));
  });
}

}  // namespace ward::shim::task
