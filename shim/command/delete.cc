// SPDX-License-Identifier: Apache-2.0
// `delete`: run by containerd in the bundle when a shim is gone or cannot be reached. Ends what is
// left of the container and says how it ended; succeeds where nothing is left. All diagnostics go
// to stderr, stdout is the answer.
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>

#include "containerd/task.pb.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/places.h"
#include "lib/linux/child_process.h"
#include "lib/linux/unix_socket.h"
#include "shim/command/invocation.h"
#include "shim/command/shim_address.h"
#include "shim/remains/unfinished_create.h"
#include "shim/runtime/runtime_options.h"
#include "shim/runtime/runtime_record.h"
#include "shim/supervisor/listener_socket.h"
#include "shim/task/rootfs.h"
#include "shim/task/timestamp.h"

namespace ward::shim::command {
namespace {

constexpr std::uint32_t kKilledStatus = 128 + SIGKILL;
// One that was killed hangs up when its memory is gone, which on a busy node takes a while.
constexpr int kHangUpDeadline_ms = 1500;

void warn(const Error& error) { std::fprintf(stderr, "%s\n", error.message.c_str()); }

void force_delete(const runtime::SavedOptions& saved, const std::filesystem::path& bundle,
                  const std::string& root, const std::string& id) {
  auto program = find_program(saved.binary.empty() ? std::string(runtime::kDefaultRuntimeBinary)
                                                   : saved.binary);
  if (!program) return warn(program.error());
  ChildSpec spec;
  spec.program = *program;
  spec.argv = {*program, "--root", root};
  if (saved.options.systemd_cgroup) spec.argv.emplace_back("--systemd-cgroup");
  spec.argv.insert(spec.argv.end(), {"delete", "--force", id});
  spec.environment = environment_without({"NOTIFY_SOCKET"});
  std::error_code gone;
  if (std::filesystem::is_directory(bundle, gone)) spec.directory = bundle;
  spec.descriptors = {{STDERR_FILENO, 1}, {STDERR_FILENO, 2}};
  auto child = start_child(spec);
  if (!child) return warn(child.error());
  int status = 0;
  while (::waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (const auto never_ran = find_start_failure(child->failure))
    warn(with_context("start " + *program, *never_ran));
}

pid_t read_init_pid(const std::filesystem::path& bundle) {
  const auto text = read_file(bundle / "init.pid", 64);
  pid_t pid = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), pid);
  return pid;
}

// Where a client's delete has taken the bundle away before us, the path follows from the id: that
// of a container with a shim of its own, or of a pod's sandbox. The sockets of pods are never
// another container's.
std::string find_socket_path(const std::filesystem::path& bundle, const Invocation& invocation) {
  const auto address = read_file(bundle / "address", 256);
  constexpr std::string_view kScheme = "unix://";
  if (address && address->compare(0, kScheme.size(), kScheme) == 0)
    return address->substr(kScheme.size());
  return shim_socket_path(kDefaultSocketDirectory, invocation.address,
                          invocation.containerd_namespace, invocation.id);
}

// The socket is the pod's: only one that nobody serves any more is removed. A shim that is just
// dying may still accept, and hangs up at once; one that lives never does.
void remove_dead_socket(const std::string& path) {
  const auto connection = connect_unix(path);
  bool dead = !connection && connection.error().sys_errno == ECONNREFUSED;
  if (connection) {
    pollfd hang_up{.fd = connection->get(), .events = POLLRDHUP, .revents = 0};
    dead = ::poll(&hang_up, 1, kHangUpDeadline_ms) > 0 &&
           (hang_up.revents & (POLLHUP | POLLRDHUP | POLLERR)) != 0;
  }
  if (dead) ::unlink(path.c_str());
}

}  // namespace

int run_delete(const Invocation& invocation) {
  std::error_code error;
  std::filesystem::path bundle = invocation.bundle;
  if (bundle.empty()) bundle = std::filesystem::current_path(error).parent_path() / invocation.id;
  // First of all: a client's delete may take the bundle away while we work.
  const std::string socket = find_socket_path(bundle, invocation);
  const auto saved = runtime::load_options(bundle);
  const auto root = runtime::runtime_root(saved.options, invocation.containerd_namespace);
  const auto unfinished =
      remains::stop_unfinished_create(bundle, std::filesystem::path(root) / invocation.id);
  // Usually the shim has deleted the container before it went; the runtime then has nothing to add.
  if (std::filesystem::exists(root + "/" + invocation.id, error)) {
    const auto cgroups = runtime::read_runtime_record(root, invocation.id).cgroups;
    const auto ended = end_processes(cgroups);
    if (!ended) warn(ended.error());
    force_delete(saved, bundle, root, invocation.id);
    // Cgroups that are not certain to be the container's alone, or that still hold somebody, stay.
    if (ended) {
      if (auto removed = remove_cgroups(cgroups); !removed) warn(removed.error());
    }
  }
  if (auto ok = remains::remove_remains(unfinished); !ok) warn(ok.error());
  if (auto ok = task::unmount_rootfs(bundle); !ok) warn(ok.error());
  remove_dead_socket(socket);
  supervisor::remove_dead_private_directories(places_from_environment().run);

  containerd::DeleteResponse response;
  response.set_pid(static_cast<std::uint32_t>(read_init_pid(bundle)));
  response.set_exit_status(kKilledStatus);
  task::set_timestamp(response.mutable_exited_at(), wall_ns());
  const std::string bytes = response.SerializeAsString();
  return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() &&
                 std::fflush(stdout) == 0
             ? 0
             : 1;
}

}  // namespace ward::shim::command
