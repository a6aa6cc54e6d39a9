// SPDX-License-Identifier: Apache-2.0
#include "shim/task/task_service.h"

#include <unistd.h>

#include <cctype>
#include <memory>

#include "containerd/options.pb.h"
#include "containerd/task.pb.h"
#include "lib/oci/bundle.h"
#include "shim/task/timestamp.h"

namespace ward::shim::task {
namespace {

constexpr std::size_t kLongestId = 76;
// runc runs `exec` from this document alone; what does not say so is refused rather than guessed.
constexpr std::string_view kProcessType =
    "types.containerd.io/opencontainers/runtime-spec/1/Process";

constexpr std::string_view kResourcesType =
    "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources";

// A ttrpc::Method must be copyable (std::function), the Responder is not: it travels in a shared
// pointer.
using SharedResponder = std::shared_ptr<ttrpc::Responder>;
SharedResponder share(ttrpc::Responder responder) {
  return std::make_shared<ttrpc::Responder>(std::move(responder));
}

template <typename Message>
Result<Message> decode(const std::string& payload) {
  Message message;
  if (!message.ParseFromString(payload)) {
    return fail(Code::kInvalidArgument,
                "the payload of " + std::to_string(payload.size()) + " bytes is no " +
                    std::string(message.GetTypeName()) +
                    "; a caller of another version than this shim may send such");
  }
  return message;
}

void reply_empty(ttrpc::Responder& responder, const Result<void>& result) {
  if (!result) return responder.error(result.error());
  responder.reply(containerd::Empty());
}

containerd::Status to_wire(ProcessState state) {
  switch (state) {
    case ProcessState::kAdded:
    case ProcessState::kCreated: return containerd::STATUS_CREATED;
    case ProcessState::kRunning: return containerd::STATUS_RUNNING;
    case ProcessState::kPausing: return containerd::STATUS_PAUSING;
    case ProcessState::kPaused: return containerd::STATUS_PAUSED;
    case ProcessState::kStopped:
    case ProcessState::kDeleted: return containerd::STATUS_STOPPED;
  }
  return containerd::STATUS_UNKNOWN;
}

// Some clients write "type.googleapis.com/" before a type.
bool is_type(const containerd::Any& any, std::string_view type) {
  return runtime::without_url_prefix(any.type_url()) == type;
}

Error wrong_type(const std::string& what, const containerd::Any& any, std::string_view type) {
  return {Code::kInvalidArgument,
          what + " must be a " + std::string(type) + ", not a '" + any.type_url() + "'", 0};
}

template <typename Message>
streams::StdioSpec stdio_from(const Message& message) {
  streams::StdioSpec spec;
  spec.in = message.stdin();
  spec.out = message.stdout();
  spec.err = message.stderr();
  spec.terminal = message.terminal();
  return spec;
}

template <typename Reply>
void set_end(Reply& reply, const Exit& exit) {
  reply.set_exit_status(exit.code());
  if (exit.wall_ns != 0) set_timestamp(reply.mutable_exited_at(), exit.wall_ns);
}

Result<ContainerSpec> spec_from(const containerd::CreateTaskRequest& request) {
  if (!is_valid_id(request.id()))
    return fail(Code::kInvalidArgument, "not a valid container id: " + request.id());
  if (request.bundle().empty() || request.bundle()[0] != '/') {
    return fail(Code::kInvalidArgument, "the bundle must be an absolute path: " + request.bundle());
  }
  auto options = runtime::decode_options(request.options());
  if (!options) return tl::unexpected(options.error());
  ContainerSpec spec;
  spec.id = request.id();
  spec.bundle = request.bundle();
  spec.options = std::move(*options);
  spec.checkpoint = request.checkpoint();
  spec.stdio = stdio_from(request);
  spec.stdio.uid = spec.options.io_uid;
  spec.stdio.gid = spec.options.io_gid;
  for (const auto& mount : request.rootfs()) {
    spec.rootfs.push_back({mount.type(),
                           mount.source(),
                           mount.target(),
                           {mount.options().begin(), mount.options().end()}});
  }
  return spec;
}

}  // namespace

bool is_valid_id(std::string_view id) {
  const auto alphanumeric = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  if (id.empty() || id.size() > kLongestId) return false;
  bool may_separate = false;
  for (const char c : id) {
    if (!alphanumeric(c) && (!may_separate || (c != '.' && c != '_' && c != '-'))) return false;
    may_separate = alphanumeric(c);
  }
  return may_separate;
}

TaskService::TaskService(Sandbox& sandbox, std::function<void()> shut_down)
    : sandbox_(sandbox), shut_down_(std::move(shut_down)) {}

void TaskService::serve_on(ttrpc::Server& server) {
  using Call = void (TaskService::*)(const std::string&, ttrpc::Responder);
  const std::pair<const char*, Call> methods[] = {
      {"State", &TaskService::state},
      {"Create", &TaskService::create},
      {"Start", &TaskService::start},
      {"Delete", &TaskService::remove},
      {"Pids", &TaskService::pids},
      {"Pause", &TaskService::pause},
      {"Resume", &TaskService::resume},
      {"Kill", &TaskService::kill},
      {"Exec", &TaskService::exec},
      {"ResizePty", &TaskService::resize_pty},
      {"CloseIO", &TaskService::close_io},
      {"Wait", &TaskService::wait},
      {"Connect", &TaskService::connect},
      {"Shutdown", &TaskService::shutdown},
      {"Checkpoint", &TaskService::checkpoint},
      {"Update", &TaskService::update},
      {"Stats", &TaskService::stats},
  };
  for (const char* service : {"containerd.task.v2.Task", "containerd.task.v3.Task"}) {
    for (const auto& [name, call] : methods) {
      server.add(service, name,
                 [this, call = call](const ttrpc::Request& request, ttrpc::Responder responder) {
                   (this->*call)(request.payload, std::move(responder));
                 });
    }
  }
}

void TaskService::state(const std::string& payload, ttrpc::Responder responder) {
  const auto request = decode<containerd::StateRequest>(payload);
  if (!request) return responder.error(request.error());
  const auto container = sandbox_.find(request->id());
  if (!container) return responder.error(container.error());
  const auto process = (*container)->find(request->exec_id());
  if (!process) return responder.error(process.error());
  containerd::StateResponse reply;
  reply.set_id(request->exec_id().empty() ? request->id() : request->exec_id());
  reply.set_bundle((*container)->bundle());
  reply.set_pid(static_cast<std::uint32_t>((*process)->pid()));
  reply.set_status(to_wire((*container)->visible_state(**process)));
  reply.set_stdin((*process)->stdio_spec().in);
  reply.set_stdout((*process)->stdio_spec().out);
  reply.set_stderr((*process)->stdio_spec().err);
  reply.set_terminal((*process)->stdio_spec().terminal);
  reply.set_exec_id(request->exec_id());
  if (const auto& exit = (*process)->exit()) {
    set_end(reply, *exit);
  }
  responder.reply(reply);
}

void TaskService::create(const std::string& payload, ttrpc::Responder responder) {
  const auto request = decode<containerd::CreateTaskRequest>(payload);
  if (!request) return responder.error(request.error());
  auto spec = spec_from(*request);
  if (!spec) return responder.error(spec.error());
  sandbox_.create(std::move(*spec), [to = share(std::move(responder))](Result<pid_t> pid) {
    if (!pid) return to->error(pid.error());
    containerd::CreateTaskResponse reply;
    reply.set_pid(static_cast<std::uint32_t>(*pid));
    to->reply(reply);
  });
}

void TaskService::start(const std::string& payload, ttrpc::Responder responder) {
  const auto request = decode<containerd::StartRequest>(payload);
  if (!request) return responder.error(request.error());
  const auto container = sandbox_.find(request->id());
  if (!container) return responder.error(container.error());
  (*container)->start(request->exec_id(), [to = share(std::move(responder))](Result<pid_t> pid) {
    if (!pid) return to->error(pid.error());
    containerd::StartResponse reply;
    reply.set_pid(static_cast<std::uint32_t>(*pid));
    to->reply(reply);
  });
}

void TaskService::remove(const std::string& payload, ttrpc::Responder responder) {
  const auto request = decode<containerd::DeleteRequest>(payload);
  if (!request) return responder.error(request.error());
  auto reply = [to = share(std::move(responder))](const Result<Departed>& departed) {
    if (!departed) return to->error(departed.error());
    containerd::DeleteResponse message;
    message.set_pid(static_cast<std::uint32_t>(departed->pid));
    set_end(message, departed->exit);
    to->reply(message);
  };
  sandbox_.remove(request->id(), request->exec_id(), std::move(reply));
}

void TaskService::pids(const std::string& payload, ttrpc::Responder responder) {
  const auto request = decode<containerd::PidsRequest>(payload);
  if (!request) return responder.error(request.error());
  const auto container = sandbox_.find(request->id());
  if (!container) return responder.error(container.error());
  (*container)
      ->list_processes(
          [to = share(std::move(responder))](const Result<std::vector<TaskProcess>>& processes) {
            if (!processes) return to->error(processes.error());
            containerd::PidsResponse reply;
            for (const auto& process : *processes) {
              auto* info = reply.add_processes();
              info->set_pid(static_cast<std::uint32_t>(process.pid));
              if (process.exec_id.empty()) continue;
              containerd::ProcessDetails details;
              details.set_exec_id(process.exec_id);
              info->mutable_info()->set_type_url("containerd.runc.v1.ProcessDetails");
              info->mutable_info()->set_value(details.SerializeAsString());
            }
            to->reply(reply);
          });
}

void TaskService::pause(const std::string& payload, ttrpc::Responder responder) {
  const auto request = decode<containerd::PauseRequest>(payload);
  if (!request) return responder.error(request.error());
  const auto container = sandbox_.find(request->id());
  if (!container) return responder.error(container.error());
  (*container)->pause([to = share(std::move(responder))](const Result<void>& result) {
    reply_empty(*to, result);
  });
}

void TaskService::resume(const std::string& payload, ttrpc::Responder responder) {
  const auto request = decode<containerd::ResumeRequest>(payload);
  if (!request) return responder.error(request.error());
  const auto container = sandbox_.find(request->id());
  if (!container) return responder.error(container.error());
  (*container)->resume([to = share(std::move(responder))](const Result<void>& result) {
    reply_empty(*to, result);
  });
}

void TaskService::kill(const std::string& payload, ttrpc::Responder responder) {
  const auto request = decode<containerd::KillRequest>(payload);
  if (!request) return responder.error(request.error());
  const auto container = sandbox_.find(request->id());
  if (!container) return responder.error(container.error());
  (*container)
      ->kill(request->exec_id(), static_cast<int>(request->signal()), request->all(),
             [to = share(std::move(responder))](const Result<void>& result) {
               reply_empty(*to, result);
             });
}

void TaskService::exec(const std::string& payload, ttrpc::Responder responder) {
  const auto request = decode<containerd::ExecProcessRequest>(payload);
  if (!request) return responder.error(request.error());
  const auto container = sandbox_.find(request->id());
  if (!container) return responder.error(container.error());
  // The exec id becomes part of a file name in the bundle.
  if (!is_valid_id(request->exec_id())) {
    return responder.error(
        {Code::kInvalidArgument, "not a valid exec id: " + request->exec_id(), 0});
  }
  if (!is_type(request->spec(), kProcessType)) {
    return responder.error(wrong_type("the exec's spec", request->spec(), kProcessType));
  }
  auto document = oci::ProcessSpec::parse(request->spec().value());
  if (!document) return responder.error(document.error());
  document->set_terminal(request->terminal());
  reply_empty(responder,
              (*container)->add_exec(request->exec_id(), stdio_from(*request), document->dump()));
}

void TaskService::resize_pty(const std::string& payload, ttrpc::Responder responder) {
  const auto request = decode<containerd::ResizePtyRequest>(payload);
  if (!request) return responder.error(request.error());
  const auto container = sandbox_.find(request->id());
  if (!container) return responder.error(container.error());
  reply_empty(responder,
              (*container)
                  ->resize(request->exec_id(), static_cast<std::uint16_t>(request->width()),
                           static_cast<std::uint16_t>(request->height())));
}

void TaskService::close_io(const std::string& payload, ttrpc::Responder responder) {
  const auto request = decode<containerd::CloseIORequest>(payload);
  if (!request) return responder.error(request.error());
  const auto container = sandbox_.find(request->id());
  if (!container) return responder.error(container.error());
  const auto process = (*container)->find(request->exec_id());
  if (!process) return responder.error(process.error());
  reply_empty(responder,
              request->stdin() ? (*container)->close_stdin(request->exec_id()) : Result<void>());
}

void TaskService::wait(const std::string& payload, ttrpc::Responder responder) {
  const auto request = decode<containerd::WaitRequest>(payload);
  if (!request) return responder.error(request.error());
  const auto container = sandbox_.find(request->id());
  if (!container) return responder.error(container.error());
  const auto to = share(std::move(responder));
  auto waiting = (*container)->wait(request->exec_id(), [to](Exit exit) {
    containerd::WaitResponse reply;
    set_end(reply, exit);
    to->reply(reply);
  });
  if (!waiting) to->error(waiting.error());
}

void TaskService::connect(const std::string& payload, ttrpc::Responder responder) {
  const auto request = decode<containerd::ConnectRequest>(payload);
  if (!request) return responder.error(request.error());
  containerd::ConnectResponse reply;
  reply.set_shim_pid(static_cast<std::uint32_t>(::getpid()));
  if (const auto container = sandbox_.find(request->id())) {
    reply.set_task_pid(static_cast<std::uint32_t>((*container)->init_pid()));
  }
  responder.reply(reply);
}

void TaskService::shutdown(const std::string& payload, ttrpc::Responder responder) {
  const auto request = decode<containerd::ShutdownRequest>(payload);
  if (!request) return responder.error(request.error());
  responder.reply(containerd::Empty());
  if (sandbox_.empty()) shut_down_();
}

void TaskService::update(const std::string& payload, ttrpc::Responder responder) {
  const auto request = decode<containerd::UpdateTaskRequest>(payload);
  if (!request) return responder.error(request.error());
  const auto container = sandbox_.find(request->id());
  if (!container) return responder.error(container.error());
  if (!is_type(request->resources(), kResourcesType)) {
    return responder.error(wrong_type("the resources", request->resources(), kResourcesType));
  }
  // The annotations of an update are a word between clients and containerd; no runtime reads them.
  (*container)
      ->update(request->resources().value(),
               [to = share(std::move(responder))](const Result<void>& result) {
                 reply_empty(*to, result);
               });
}

void TaskService::stats(const std::string& payload, ttrpc::Responder responder) {
  const auto request = decode<containerd::StatsRequest>(payload);
  if (!request) return responder.error(request.error());
  const auto container = sandbox_.find(request->id());
  if (!container) return responder.error(container.error());
  auto metrics = (*container)->stats();
  sandbox_.trim_when_quiet();
  if (!metrics) return responder.error(metrics.error());
  containerd::StatsResponse reply;
  *reply.mutable_stats() = std::move(*metrics);
  responder.reply(reply);
}

void TaskService::checkpoint(const std::string& payload, ttrpc::Responder responder) {
  const auto request = decode<containerd::CheckpointTaskRequest>(payload);
  if (!request) return responder.error(request.error());
  const auto container = sandbox_.find(request->id());
  if (!container) return responder.error(container.error());
  auto options = runtime::decode_checkpoint_options(request->options());
  if (!options) return responder.error(options.error());
  (*container)
      ->checkpoint(request->path(), std::move(*options),
                   [to = share(std::move(responder))](const Result<void>& result) {
                     reply_empty(*to, result);
                   });
}

}  // namespace ward::shim::task
