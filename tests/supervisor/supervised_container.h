// SPDX-License-Identifier: Apache-2.0
// A throwaway container of the real runc whose listener goes to a Supervisor in the test's own
// process. Everything it makes is below a temporary directory and a cgroup of its own, and is gone
// with it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/linux/cgroup.h"
#include "lib/linux/child_process.h"
#include "lib/oci/seccomp.h"
#include "shim/supervisor/listener_socket.h"
#include "shim/supervisor/supervisor.h"

namespace ward::shim::supervisor {

class SupervisedContainer : public testing::Test {
 protected:
  void SetUp() override {
    const auto runc = find_program("runc");
    if (!runc || ::geteuid() != 0) GTEST_SKIP() << "needs runc and root";
    runc_ = *runc;
    id_ = "ward-test-" + random_hex(6);
    root_ = std::filesystem::temp_directory_path() / id_;
    std::filesystem::create_directories(root_ / "rootfs/proc");
    std::filesystem::copy_file(SUPERVISED_PROGRAM, root_ / "rootfs/t");
    ::chmod((root_ / "rootfs/t").c_str(), 0755);
    ::chmod(root_.c_str(), 0700);
  }

  void TearDown() override {
    if (root_.empty()) return;
    runc({"delete", "--force", id_});
    supervisor_.reset();
    socket_.reset();
    loop_.restart();
    loop_.run_for(std::chrono::milliseconds(10));
    for (const char* hierarchy : {"/sys/fs/cgroup/unified/", "/sys/fs/cgroup/"})
      ::rmdir((hierarchy + id_).c_str());
    // A collector of evidence may still be writing below it.
    std::error_code ignored;
    while (std::filesystem::exists(root_, ignored)) std::filesystem::remove_all(root_, ignored);
  }

  Charge charge(ActionSet actions) {
    const auto nr = [](const char* name) {
      return static_cast<std::uint32_t>(*oci::find_syscall(name));
    };
    Charge charge;
    charge.identity.set_container_id(id_);
    charge.profile_name = "test";
    charge.profile_digest = std::string(64, 'd');
    charge.calls = filter::CallTable({{nr("execve"), filter::kLayerBoot | filter::kLayerExec, {}},
                                      {nr("rmdir"), filter::kLayerServing, {}}},
                                     {});
    charge.actions = actions;
    charge.evidence_root = root_ / "evidence";
    return charge;
  }

  void start(Charge charge, const std::vector<std::string>& verbs) {
    SupervisorCallbacks callbacks;
    callbacks.report = [this](node::v1::Violation violation) {
      violations_.push_back(std::move(violation));
    };
    callbacks.count = [this] { ++counted_; };
    callbacks.frozen_changed = [this](bool frozen) { frozen_.push_back(frozen); };
    callbacks.changed = [] {};
    callbacks.kill_all = [this] { killed_by_callback_ = true; };
    supervisor_ = std::make_unique<Supervisor>(loop_, std::move(charge), std::move(callbacks));
    auto socket =
        ListenerSocket::open(loop_, root_ / "s", [this](ListenerOffer offer) -> Result<void> {
          if (offer.state.metadata != "nonce")
            return fail(Code::kPermissionDenied, "the nonce is wrong");
          const std::string exec_id = supervisor_->sessions() > 0 ? "exec" : "";
          pid_ = exec_id.empty() ? offer.state.pid : pid_;
          // Here, while it certainly lives: a container that breaks its profile at once may be dead
          // before start() is back.
          if (exec_id.empty()) cgroups_ = open_cgroups_of(pid_);
          supervisor_->adopt(exec_id, offer.state.pid, std::move(offer.listener));
          return {};
        });
    ASSERT_TRUE(socket) << socket.error().message;
    socket_ = std::move(*socket);
    write_config(verbs);
    ASSERT_EQ(runc({"run", "--detach", "--bundle", root_.string(), id_}), 0)
        << read_file(root_ / "log").value_or("");
  }

  void write_config(const std::vector<std::string>& verbs) {
    std::string args = "\"/t\"";
    for (const auto& verb : verbs) args += ",\"" + verb + "\"";
    std::ofstream(root_ / "config.json")
        << R"({"ociVersion":"1.0.2","process":{"user":{"uid":0,"gid":0},"args":[)" << args
        << R"(],"env":["SECRET=x"],"cwd":"/","noNewPrivileges":true},"root":{"path":"rootfs"},"mounts":[)"
        << R"({"destination":"/proc","type":"proc","source":"proc"}],"linux":{"cgroupsPath":"/)"
        << id_ << R"(","resources":{)" << (can_limit_pids() ? R"("pids":{"limit":300})" : "")
        << R"(},"namespaces":[{"type":"pid"},{"type":"mount"},{"type":"network"},{"type":"ipc"}],)"
        << R"("seccomp":{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":")"
        << (root_ / "s").string()
        << R"(","listenerMetadata":"nonce","syscalls":[{"names":["execve","execveat","mkdir","unshare","rmdir"],)"
        << R"("action":"SCMP_ACT_NOTIFY"}]}}})";
  }

  // The pids controller of v1, or that of the unified hierarchy.
  static bool can_limit_pids() {
    return std::filesystem::exists("/sys/fs/cgroup/pids/cgroup.procs") ||
           read_file("/sys/fs/cgroup/cgroup.controllers").value_or("").find("pids") !=
               std::string::npos;
  }

  // Runs runc while the loop answers; its exit status.
  int runc(std::vector<std::string> arguments) {
    ChildSpec spec;
    spec.program = runc_;
    spec.argv = {"runc", "--root", (root_ / "runc").string(), "--log", (root_ / "log").string()};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    spec.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
    const auto child = start_child(spec);
    EXPECT_TRUE(child);
    int status = 0;
    EXPECT_TRUE(run_until([&] { return ::waitpid(child->pid, &status, WNOHANG) == child->pid; }));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  template <typename Condition>
  bool run_until(Condition condition, std::chrono::seconds limit = std::chrono::seconds(30)) {
    const std::int64_t deadline = monotonic_ns() + std::chrono::nanoseconds(limit).count();
    while (!condition()) {
      if (monotonic_ns() > deadline) return false;
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  [[nodiscard]] std::string out() const { return read_file(root_ / "rootfs/out").value_or(""); }
  [[nodiscard]] bool made() const { return std::filesystem::exists(root_ / "rootfs/made"); }
  bool run_until_out(const std::string& text) {
    return run_until([&] { return out().find(text) != std::string::npos; });
  }

  asio::io_context loop_;
  std::string runc_;
  std::string id_;
  std::filesystem::path root_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<ListenerSocket> socket_;
  std::uint64_t counted_ = 0;
  std::vector<node::v1::Violation> violations_;
  std::vector<bool> frozen_;
  bool killed_by_callback_ = false;
  pid_t pid_ = 0;
  Result<TaskCgroups> cgroups_ = fail(Code::kNotFound, "no container yet");
};

}  // namespace ward::shim::supervisor
