// SPDX-License-Identifier: Apache-2.0
// The life of one container: create, start, exec sessions, signals, end, delete. Decides the order
// in which containerd learns of things (C61): an end is told after the start it belongs to, and the
// init's after those of all exec sessions. Calls the guard's hooks in their order and knows nothing
// of what they do.
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/linux/cgroup_controllers.h"
#include "shim/guard/guard.h"
#include "shim/runtime/checkpoint.h"
#include "shim/runtime/runc.h"
#include "shim/runtime/runtime_options.h"
#include "shim/runtime/start_fifo.h"
#include "shim/runtime/warm_cgroup_lock.h"
#include "shim/task/process.h"
#include "shim/task/rootfs.h"
#include "shim/task/task_events.h"

namespace ward {
class ConsoleSocket;
}
namespace ward::containerd {
class Any;
}

namespace ward::shim::task {

class OomWatch;

struct Surroundings {
  asio::io_context& loop;
  Reaper& reaper;
  guard::Guard& guard;
  TaskEvents& events;
  runtime::WarmCgroupLock& cgroup_lock;
  std::string containerd_namespace;
  std::filesystem::path run_directory;             // for console sockets
  std::optional<CgroupHierarchies> hierarchies{};  // once they were needed
};

struct ContainerSpec {
  std::string id;
  std::string bundle;
  std::vector<RootfsMount> rootfs;
  streams::StdioSpec stdio;
  runtime::RuntimeOptions options;
  std::string checkpoint;  // images to start from instead of the program
};

struct Departed {  // what is left to say of a deleted process
  pid_t pid = 0;
  Exit exit;
};

struct TaskProcess {  // a process in the container's cgroup
  pid_t pid = 0;
  std::string exec_id;  // of the session it is the first process of
};

class Container : public std::enable_shared_from_this<Container> {
 public:
  using Done = std::function<void(Result<void>)>;
  using PidDone = std::function<void(Result<pid_t>)>;

  Container(Surroundings& surroundings, ContainerSpec spec);

  // Until it has come back well the container is to be treated as absent; after an error nothing of
  // it is left.
  void create(PidDone done);
  [[nodiscard]] bool is_created() const { return created_; }

  void start(const std::string& exec_id, PidDone done);
  Result<void> add_exec(const std::string& exec_id, streams::StdioSpec stdio, std::string document);
  void remove(const std::string& exec_id, std::function<void(Result<Departed>)> done);
  void kill(const std::string& exec_id, int signal, bool all, Done done);
  void pause(Done done);
  void resume(Done done);
  // `path`: where the images go; empty: as the options say.
  void checkpoint(const std::string& path, runtime::CheckpointOptions options, Done done);
  // `resources`: a LinuxResources object as JSON.
  void update(std::string_view resources, Done done);
  [[nodiscard]] Result<containerd::Any> stats() const;
  void list_processes(std::function<void(Result<std::vector<TaskProcess>>)> done);
  Result<void> wait(const std::string& exec_id, Process::Waiter waiter);
  Result<void> resize(const std::string& exec_id, std::uint16_t columns, std::uint16_t rows);
  Result<void> close_stdin(const std::string& exec_id);

  // Every process dies, by the runtime's hand; for the guard, and for shared pid namespaces when
  // the init ends.
  void kill_all();
  // The guard froze or released the container.
  void set_frozen(bool frozen);

  [[nodiscard]] const std::string& bundle() const { return spec_.bundle; }
  [[nodiscard]] Result<std::shared_ptr<Process>> find(const std::string& exec_id) const;
  [[nodiscard]] ProcessState visible_state(const Process& process) const;
  [[nodiscard]] pid_t init_pid() const { return init_->pid(); }

 private:
  using ProcessPtr = std::shared_ptr<Process>;

  using NodeIndex = std::shared_ptr<admission::NodeIndex>;
  // What a create does before the runtime: the bundle is made complete, then judged, as often as a
  // busy node takes.
  Result<void> prepare(const admission::NodeIndex& index);
  void admit(NodeIndex index, int attempts, PidDone done);
  Result<void> open_streams(const oci::Config& config);
  void run_create(PidDone done);
  void create_from_checkpoint(const PidDone& done);
  void restore(PidDone done);
  [[nodiscard]] std::string criu_work_path(const std::string& asked) const;
  [[nodiscard]] streams::LogOwner log_owner() const {
    return {&surroundings_.reaper, spec_.id, surroundings_.containerd_namespace};
  }
  void abandon(Error why, PidDone done);
  // Runs `create` or `exec`, and comes back when the new process is known, watched and confirmed by
  // the guard.
  void launch(const ProcessPtr& process, runtime::RuncCall call, const std::string& pid_file,
              PidDone done);
  void add_place(const Process& process, const std::string& pid_file,
                 runtime::RuncCall& call) const;
  // What is to be done when the runtime is back.
  runtime::Runc::Done after_launch(const ProcessPtr& process,
                                   std::shared_ptr<ConsoleSocket> console,
                                   const std::string& pid_file, PidDone done);
  void adopt(const ProcessPtr& process, const std::string& pid_file, const ConsoleSocket* console,
             PidDone done);
  void start_init(PidDone done);
  void begin_exec(const ProcessPtr& process);
  [[nodiscard]] bool may_begin_exec(const Process& process) const;
  void start_exec(const ProcessPtr& process, PidDone done);
  void run_exec(const ProcessPtr& process, const std::string& document, PidDone done);
  bool go_on_with_early(const ProcessPtr& process, const std::string& document,
                        const PidDone& done);
  void exec_failed(const ProcessPtr& process);
  void kill_strays();
  void let_killed_die();
  void end_unstarted_execs();
  [[nodiscard]] Result<void> may_start_exec() const;
  [[nodiscard]] std::string exec_pid_file(const std::string& exec_id) const;

  void watch_oom();

  void process_reaped(const ProcessPtr& process, pid_t pid, Exit exit);
  void publish_ends();
  void publish_end(const ProcessPtr& process);
  void remove_init(OperationQueue::Turn turn, std::function<void(Result<Departed>)> done);
  [[nodiscard]] std::chrono::seconds exec_drain_limit() const;
  void remove_exec(const ProcessPtr& process, std::function<void(Result<Departed>)> done);
  void destroy(std::function<void(Result<void>)> done);

  Surroundings& surroundings_;
  ContainerSpec spec_;
  runtime::Runc runc_;
  ProcessPtr init_;
  std::map<std::string, ProcessPtr> execs_;
  std::string
      cgroup_membership_;  // of the init before it ran anything: the text of its /proc/<pid>/cgroup
  std::shared_ptr<OomWatch> oom_watch_;
  bool created_ = false;
  bool private_pid_namespace_ = true;
  // Whether the shim may do what the verb of the runtime would: a process of the runtime takes
  // longer than everything else in a start or a delete.
  bool may_start_ = false;
  bool may_delete_ = false;
  std::shared_ptr<runtime::StartFifo> start_fifo_;  // while a start waits for it
  bool killing_all_ = false;
  std::vector<std::function<void()>> after_kill_all_;
};

}  // namespace ward::shim::task
