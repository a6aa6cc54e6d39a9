// SPDX-License-Identifier: Apache-2.0
// What containerd is told of a task. Builds the messages; the order of the calls is the order of
// the events, and sending them is the business of whoever gave `publish`.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "lib/linux/reaper.h"
#include "shim/streams/stdio.h"
#include "shim/task/rootfs.h"

namespace ward::shim::task {

struct TaskEvent {
  std::string topic;     // "/tasks/start"
  std::string type_url;  // "containerd.events.TaskStart"
  std::string payload;
};

class TaskEvents {
 public:
  explicit TaskEvents(std::function<void(TaskEvent)> publish) : publish_(std::move(publish)) {}

  void created(const std::string& id, const std::string& bundle,
               const std::vector<RootfsMount>& rootfs, const streams::StdioSpec& io, pid_t pid,
               const std::string& checkpoint);
  void started(const std::string& id, pid_t pid);
  void exec_added(const std::string& id, const std::string& exec_id);
  void exec_started(const std::string& id, const std::string& exec_id, pid_t pid);
  void exited(const std::string& id, const std::string& exec_id, pid_t pid, const Exit& exit);
  void deleted(const std::string& id, pid_t pid, const Exit& exit);
  void paused(const std::string& id);
  void resumed(const std::string& id);
  void checkpointed(const std::string& id, const std::string& path);
  void oom(const std::string& id);

 private:
  std::function<void(TaskEvent)> publish_;
};

}  // namespace ward::shim::task
