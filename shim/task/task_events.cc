// SPDX-License-Identifier: Apache-2.0
#include "shim/task/task_events.h"

#include "containerd/events.pb.h"
#include "shim/task/timestamp.h"

namespace ward::shim::task {
namespace {

template <typename Message>
TaskEvent make_event(const char* topic, const char* type, const Message& message) {
  return {std::string("/tasks/") + topic, std::string("containerd.events.") + type,
          message.SerializeAsString()};
}

}  // namespace

void TaskEvents::created(const std::string& id, const std::string& bundle,
                         const std::vector<RootfsMount>& rootfs, const streams::StdioSpec& io,
                         pid_t pid, const std::string& checkpoint) {
  containerd::TaskCreate m;
  m.set_container_id(id);
  m.set_bundle(bundle);
  for (const auto& mount : rootfs) {
    auto* to = m.add_rootfs();
    to->set_type(mount.type);
    to->set_source(mount.source);
    to->set_target(mount.target);
    for (const auto& option : mount.options) to->add_options(option);
  }
  m.mutable_io()->set_stdin(io.in);
  m.mutable_io()->set_stdout(io.out);
  m.mutable_io()->set_stderr(io.err);
  m.mutable_io()->set_terminal(io.terminal);
  m.set_checkpoint(checkpoint);
  m.set_pid(static_cast<std::uint32_t>(pid));
  publish_(make_event("create", "TaskCreate", m));
}

void TaskEvents::started(const std::string& id, pid_t pid) {
  containerd::TaskStart m;
  m.set_container_id(id);
  m.set_pid(static_cast<std::uint32_t>(pid));
  publish_(make_event("start", "TaskStart", m));
}

void TaskEvents::exec_added(const std::string& id, const std::string& exec_id) {
  containerd::TaskExecAdded m;
  m.set_container_id(id);
  m.set_exec_id(exec_id);
  publish_(make_event("exec-added", "TaskExecAdded", m));
}

void TaskEvents::exec_started(const std::string& id, const std::string& exec_id, pid_t pid) {
  containerd::TaskExecStarted m;
  m.set_container_id(id);
  m.set_exec_id(exec_id);
  m.set_pid(static_cast<std::uint32_t>(pid));
  publish_(make_event("exec-started", "TaskExecStarted", m));
}

void TaskEvents::exited(const std::string& id, const std::string& exec_id, pid_t pid,
                        const Exit& exit) {
  containerd::TaskExit m;
  m.set_container_id(id);
  m.set_id(exec_id.empty() ? id : exec_id);
  m.set_pid(static_cast<std::uint32_t>(pid));
  m.set_exit_status(exit.code());
  set_timestamp(m.mutable_exited_at(), exit.wall_ns);
  publish_(make_event("exit", "TaskExit", m));
}

void TaskEvents::deleted(const std::string& id, pid_t pid, const Exit& exit) {
  containerd::TaskDelete m;
  m.set_container_id(id);
  m.set_pid(static_cast<std::uint32_t>(pid));
  m.set_exit_status(exit.code());
  set_timestamp(m.mutable_exited_at(), exit.wall_ns);
  publish_(make_event("delete", "TaskDelete", m));
}

void TaskEvents::paused(const std::string& id) {
  containerd::TaskPaused m;
  m.set_container_id(id);
  publish_(make_event("paused", "TaskPaused", m));
}

void TaskEvents::resumed(const std::string& id) {
  containerd::TaskResumed m;
  m.set_container_id(id);
  publish_(make_event("resumed", "TaskResumed", m));
}

void TaskEvents::checkpointed(const std::string& id, const std::string& path) {
  containerd::TaskCheckpointed m;
  m.set_container_id(id);
  m.set_checkpoint(path);
  publish_(make_event("checkpointed", "TaskCheckpointed", m));
}

void TaskEvents::oom(const std::string& id) {
  containerd::TaskOOM m;
  m.set_container_id(id);
  publish_(make_event("oom", "TaskOOM", m));
}

}  // namespace ward::shim::task
