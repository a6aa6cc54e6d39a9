// SPDX-License-Identifier: Apache-2.0
#include "shim/guard/guard_recording.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <memory>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/linux/child_process.h"
#include "shim/guard/guarded_container.h"
#include "shim/links/node_link.h"

namespace ward::shim::guard {
namespace {

constexpr std::chrono::milliseconds kRecordingDeadline{1000};
constexpr std::chrono::milliseconds kAskAgain{5};
constexpr std::size_t kMaxRuntimeBytes = 128U << 20U;

// The runtime layer differs by binary (K8), so a run says which one made it. Hashed once for each
// file.
std::string runtime_digest(const std::string& name) {
  static std::pair<std::string, std::string> last;  // of "<path> <inode> <size> <mtime>"
  const auto path = find_program(name.empty() ? "runc" : name);
  struct stat status {};
  if (!path || ::stat(path->c_str(), &status) != 0) return {};
  const std::string key =
      *path + " " + std::to_string(status.st_ino) + " " + std::to_string(status.st_size) + " " +
      std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec);
  if (last.first != key) {
    const auto content = read_file(*path, kMaxRuntimeBytes);
    if (!content) return {};
    last = {key, sha256_hex(*content)};
  }
  return last.second;
}

// One request on its way. The container may be forgotten before the answer: `go` then still runs,
// and nothing else does.
struct Asking {
  asio::io_context& loop;
  links::NodeLink& link;
  GuardedContainer& container;
  std::string exec_id;
  std::filesystem::path node_socket;
  node::v1::BeginRecordingRequest request;
  std::function<void()> go;
  std::weak_ptr<bool> alive = container.alive;
  asio::steady_timer again{loop};
  std::int64_t deadline_ns = 0;
  bool sent = false;  // wardd may have it
};

void ask(const std::shared_ptr<Asking>& asking);

// A wardd that was late begins a run which nobody would end, and which lacks its beginning.
void abandon(const Asking& asking) {
  node::v1::EndRecordingRequest request;
  request.set_run_id(asking.request.run_id());
  request.set_abandoned(true);
  asking.link.end_recording(std::move(request));
}

void conclude(const Asking& asking, const Result<node::v1::BeginRecordingResponse>& answer) {
  const bool recorded = answer && answer->recording();
  const std::string why = answer ? answer->why_not() : answer.error().message;
  if (asking.exec_id.empty()) {
    asking.container.recording = recorded;
    asking.container.unrecorded = recorded ? "" : why;
  }
  if (!recorded) {
    log::warn("runs unrecorded",
              {{"id", asking.container.id}, {"exec", asking.exec_id}, {"why", why}});
  }
}

void answered(const std::shared_ptr<Asking>& asking,
              const Result<node::v1::BeginRecordingResponse>& answer) {
  // The first container of a shim comes before its link is up; where wardd's socket exists a
  // moment's patience is due.
  const bool may_come = !answer && answer.error().code == Code::kUnavailable &&
                        !asking->alive.expired() && monotonic_ns() < asking->deadline_ns &&
                        ::access(asking->node_socket.c_str(), F_OK) == 0;
  if (may_come) {
    asking->again.expires_after(kAskAgain);
    asking->again.async_wait([asking](const asio::error_code& error) {
      if (!error && !asking->alive.expired()) return ask(asking);
      asking->go();
    });
    return;
  }
  if (!answer && asking->sent && asking->exec_id.empty()) abandon(*asking);
  if (!asking->alive.expired()) conclude(*asking, answer);
  asking->go();
}

void ask(const std::shared_ptr<Asking>& asking) {
  const std::int64_t left_ns =
      std::max<std::int64_t>(asking->deadline_ns - monotonic_ns(), 1'000'000);
  const bool sent = asking->link.begin_recording(
      asking->request, std::chrono::milliseconds(left_ns / 1'000'000),
      [asking](const Result<node::v1::BeginRecordingResponse>& answer) {
        answered(asking, answer);
      });
  asking->sent = asking->sent || sent;
}

}  // namespace

void begin_recording(asio::io_context& loop, links::NodeLink& link, GuardedContainer& container,
                     const std::filesystem::path& node_socket, const std::string& exec_id,
                     pid_t runtime_pid, const std::string& runtime_name, std::function<void()> go) {
  if (!exec_id.empty() && !container.recording) return go();
  if (exec_id.empty()) {
    container.run_id = random_hex(16);
    container.record_id = container.admitted.record_id;
  }
  node::v1::BeginRecordingRequest request;
  *request.mutable_identity() = container.admitted.identity;
  request.set_workload(container.admitted.workload);
  request.set_exec_id(exec_id);
  request.set_pid(runtime_pid);
  request.set_run_id(container.run_id);
  request.set_runtime_sha256(runtime_digest(runtime_name));
  request.set_no_new_privileges(container.admitted.no_new_privileges);
  request.set_record_id(container.record_id);
  const auto asking = std::make_shared<Asking>(
      Asking{loop, link, container, exec_id, node_socket, std::move(request), std::move(go)});
  asking->deadline_ns = monotonic_ns() + std::chrono::nanoseconds(kRecordingDeadline).count();
  ask(asking);
}

namespace {

void leave(links::NodeLink& link, GuardedContainer& container) {
  node::v1::EndRecordingRequest request;
  request.set_run_id(container.run_id);
  request.set_goes_on(true);
  link.end_recording(std::move(request));
  container.recording = false;
  container.record_end.reset();
  container.unrecorded = container.admitted.mode == node::v1::MODE_LEARN
                             ? "the time that `ward record` asked for is over"
                             : "";
}

}  // namespace

void end_recording_at(asio::io_context& loop, links::NodeLink& link, GuardedContainer& container,
                      std::int64_t until_wall_ns, std::function<void()> ended) {
  if (!container.recording) return;
  const std::int64_t left_ns = until_wall_ns - wall_ns();
  if (left_ns <= 0) return leave(link, container);
  container.record_end = std::make_unique<asio::steady_timer>(loop);
  container.record_end->expires_after(std::chrono::nanoseconds(left_ns));
  container.record_end->async_wait([&link, &container, alive = std::weak_ptr<bool>(container.alive),
                                    ended = std::move(ended)](const asio::error_code& error) {
    if (error || alive.expired() || !container.recording) return;
    leave(link, container);
    ended();
  });
}

void end_recording(links::NodeLink& link, GuardedContainer& container, int wait_status) {
  node::v1::EndRecordingRequest request;
  request.set_run_id(container.run_id);
  const bool signaled = WIFSIGNALED(wait_status);
  const int signal = signaled ? WTERMSIG(wait_status) : 0;
  request.set_exit_status(
      static_cast<std::uint32_t>(signaled ? 128 + signal : WEXITSTATUS(wait_status)));
  request.set_graceful(!signaled || signal == SIGTERM || signal == SIGQUIT);
  link.end_recording(std::move(request));
  container.recording = false;
  container.record_end.reset();
}

}  // namespace ward::shim::guard
