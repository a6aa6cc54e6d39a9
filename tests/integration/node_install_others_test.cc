// SPDX-License-Identifier: Apache-2.0
// `ward node` where others write the same files, make Ward the default, or run pods meanwhile.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <thread>

#include "lib/base/scope_exit.h"
#include "tests/integration/node_install_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class NodeInstallOthers : public NodeInstallTest {
 protected:
  // As a person does it.
  void restart_containerd() {
    const pid_t before = daemon();
    ASSERT_TRUE(signal_process(before, SIGTERM));
    ASSERT_TRUE(await([&] { return daemon() != before && CriClient(socket()).status(); }))
        << read(directory_ / "containerd.log");
  }
  [[nodiscard]] std::string with(std::string text, const std::string& old,
                                 const std::string& fresh) const {
    EXPECT_THAT(text, HasSubstr(old));
    const auto at = text.find(old);
    return at == std::string::npos ? text : text.replace(at, old.size(), fresh);
  }
  [[nodiscard]] std::string handler_table() const {
    return "[" + cri_table() + ".containerd.runtimes.ward]";
  }
  // A process of this program that has executed nothing yet: a shim of a pod, as far as anybody
  // can see.
  static pid_t held(const fs::path& program) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      ::execl(program.c_str(), program.c_str(), nullptr);
      ::_exit(127);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFSTOPPED(status));
    ::ptrace(PTRACE_DETACH, pid, nullptr, SIGSTOP);
    return pid;
  }
  static void end(pid_t& pid) {
    if (pid <= 0) return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    pid = -1;
  }
  // Whoever listens at a socket and is no containerd.
  std::unique_ptr<Child> listener(const fs::path& path, int user) const {
    fs::permissions(directory_, fs::perms::all);
    auto child =
        std::make_unique<Child>(std::vector<std::string>{"python3", "-c",
                                                         "import os, socket, sys, time\n"
                                                         "os.setuid(int(sys.argv[2]))\n"
                                                         "s = socket.socket(socket.AF_UNIX)\n"
                                                         "s.bind(sys.argv[1])\n"
                                                         "s.listen()\n"
                                                         "time.sleep(60)\n",
                                                         path.string(), std::to_string(user)});
    EXPECT_TRUE(await([&] { return fs::exists(path); }));
    return child;
  }
};

TEST_F(NodeInstallOthers, AHandlerThatIsTheDefaultHasToBeSetBackFirst) {
  start(plain_config());
  ASSERT_EQ(node("install").status, 0);
  const std::string text =
      with(read(config_), "# a person's words\n",
           "[" + cri_table() + ".containerd]\n  default_runtime_name = \"ward\"\n");
  write(config_, text);
  restart_containerd();
  // What runc is told, Ward's pods are told too.
  const Output again = node("install");
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(read(config_), text);
  EXPECT_THAT(read(directory_ / "ward/etc/runtime.toml"), HasSubstr("SystemdCgroup = true"));
  const pid_t before = daemon();
  for (const Output& refused : {node("uninstall"), node("install", {"--handler", "guarded"})}) {
    EXPECT_EQ(refused.status, 1) << refused.out;
    EXPECT_THAT(refused.err, AllOf(HasSubstr("default_runtime_name"), HasSubstr("to runc first")));
  }
  EXPECT_EQ(read(config_), text);
  EXPECT_EQ(daemon(), before);
  EXPECT_TRUE(fs::exists(shim()));
  write(config_, with(text, "= \"ward\"\n", "= \"runc\"\n"));
  const Output gone = node("uninstall");
  EXPECT_EQ(gone.status, 0) << gone.err;
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(NodeInstallOthers, AnUninstallAfterWhichContainerdIsNotWellIsTakenBack) {
  start(plain_config());
  ASSERT_EQ(node("install").status, 0);
  const std::string text = read(config_);
  const Output failed = node("uninstall", {}, "node.restarted-without=error(EIO)");
  EXPECT_EQ(failed.status, 1) << failed.out;
  EXPECT_THAT(failed.err, HasSubstr("Ward is installed as it was before"));
  EXPECT_EQ(read(config_), text);
  EXPECT_TRUE(handler_is_live());
  EXPECT_TRUE(fs::exists(directory_ / "ward/etc/runtime.toml"));
  EXPECT_EQ(node("status").status, 0) << node("status").out;
  EXPECT_EQ(node("uninstall").status, 0);
  EXPECT_EQ(read(config_), plain_config());
}

TEST_F(NodeInstallOthers, FilesThatAPersonHasWrittenSinceAreNotRemoved) {
  // In this program's mounts alone.
  ASSERT_EQ(::system("mkdir -p /etc/containerd && mount -t tmpfs tmpfs /etc/containerd"), 0);
  const ScopeExit back([] { (void)!::system("umount /etc/containerd"); });
  start_as({"--address", socket().string(), "--root", (directory_ / "root").string(), "--state",
            (directory_ / "state").string()});
  ASSERT_EQ(node("install").status, 0);
  const fs::path config = "/etc/containerd/config.toml";
  write(config, plain_config());
  const Output installed = node("install");
  ASSERT_EQ(installed.status, 0) << installed.err;
  const std::string options = "BinaryName = \"/usr/sbin/runc\" # a person's\n";
  write(directory_ / "ward/etc/runtime.toml", options);
  const Output gone = node("uninstall");
  ASSERT_EQ(gone.status, 0) << gone.err;
  EXPECT_EQ(read(config), plain_config());
  EXPECT_EQ(read(directory_ / "ward/etc/runtime.toml"), options);
  stop();
}

// rke2 10613, on the way back: containerd loses a pod whose shim's path goes.
TEST_F(NodeInstallOthers, AnInstallationThatIsTakenBackLeavesTheShimThatPodsRun) {
  fs::copy_file(shim_binary(), directory_ / "payload/containerd-shim-ward-v1",
                fs::copy_options::overwrite_existing);
  start(plain_config());
  EXPECT_EQ(ward({"node", "install", "--socket", socket().string(), "--from",
                  (directory_ / "payload").string(), "--bin-dir", (directory_ / "bin").string()})
                .status,
            6);
  restart_containerd();
  pid_t pod = held(shim());
  const ScopeExit over([&pod] { end(pod); });
  const Output failed = node("install", {}, "node.verified=error(ENOSPC)");
  EXPECT_EQ(failed.status, 1) << failed.out;
  EXPECT_THAT(failed.err, HasSubstr("but for the shim"));
  EXPECT_TRUE(fs::exists(shim()));
  EXPECT_EQ(read(config_), plain_config());
  EXPECT_FALSE(handler_is_live());
  EXPECT_EQ(json("status")["phase"], "removed but for the shim");
  EXPECT_EQ(finding("shim-kept")["level"], "note");
  EXPECT_EQ(finding("handler-unknown"), nlohmann::json::object());
  EXPECT_EQ(node("status").status, 6);
  // And so does one that was killed over a shim that stayed.
  EXPECT_EQ(node("install", {}, "node.recorded=kill").status, 128 + SIGKILL);
  EXPECT_EQ(node("install", {}, "node.restart=error(ENOSPC)").status, 1);
  EXPECT_TRUE(fs::exists(shim()));
  EXPECT_THAT(node("uninstall").out, HasSubstr("processes that run it: 1"));
  end(pod);
  EXPECT_EQ(node("uninstall").status, 0);
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(NodeInstallOthers, WhatOthersChangeBetweenTheFencesStaysInForceOrIsToldFirst) {
  start(version_line() + places() + rest());
  ASSERT_EQ(node("install").status, 0);
  // Our block has runc's table, for this file had none.
  const std::string changed = with(read(config_), "SystemdCgroup = false", "SystemdCgroup = true");
  write(config_, changed);
  restart_containerd();
  put_payload("0.2.0");
  const Output upgraded = node("upgrade");
  EXPECT_EQ(upgraded.status, 0) << upgraded.err;
  EXPECT_THAT(read(config_),
              AllOf(HasSubstr("SystemdCgroup = true"), Not(HasSubstr("SystemdCgroup = false"))));
  const std::string more =
      with(read(config_), "# ward: end", "[debug]\n  level = \"debug\"\n# ward: end");
  write(config_, more);
  const Output refused = node("install");
  EXPECT_EQ(refused.status, 1) << refused.out;
  EXPECT_THAT(refused.err, HasSubstr("- debug.level = \"debug\""));
  EXPECT_EQ(read(config_), more);
}

TEST_F(NodeInstallOthers, WhatOthersWriteWhileItFailsStays) {
  start(plain_config());
  const std::string once = (directory_ / "once").string();
  const Output failed =
      node("install",
           {"--restart-command", "[ -e " + once + " ] || { touch " + once + "; echo '# theirs' >>" +
                                     config_.string() + "; exit 1; }; " + restart_command()});
  EXPECT_EQ(failed.status, 1) << failed.out;
  EXPECT_THAT(failed.err, HasSubstr("Everything is as it was before"));
  EXPECT_EQ(read(config_), plain_config() + "# theirs\n");
}

TEST_F(NodeInstallOthers, AFileThatChangesBeforeItIsWrittenIsNotWrittenOver) {
  start(plain_config());
  Output failed;
  std::thread install([&] { failed = node("install", {}, "node.options=delay(2000)"); });
  EXPECT_TRUE(await([this] { return fs::exists(directory_ / "ward/etc/runtime.toml"); }));
  std::ofstream(config_, std::ios::app) << "# theirs\n";
  install.join();
  EXPECT_EQ(failed.status, 1) << failed.out;
  EXPECT_THAT(failed.err, HasSubstr("changed by somebody else meanwhile"));
  EXPECT_EQ(read(config_), plain_config() + "# theirs\n");
  EXPECT_EQ(node("install").status, 0);
}

TEST_F(NodeInstallOthers, AHandlerThatIsStillReadKeepsThePrograms) {
  start(plain_config());
  ASSERT_EQ(node("install").status, 0);
  const std::string block = json_of_record()["block"];
  // A configuration management that took the table over, in its own words.
  write(config_, plain_config() + with(block, handler_table(), "\t" + handler_table()));
  for (int round = 0; round < 2; ++round) {
    const Output refused = node("uninstall");
    EXPECT_EQ(refused.status, 1) << refused.out;
    EXPECT_THAT(refused.err, AllOf(HasSubstr(handler_table()), HasSubstr(config_.string())));
    EXPECT_TRUE(fs::exists(shim()));
  }
  // The fences went, and no more.
  write(config_, plain_config() + block);
  const Output gone = node("uninstall");
  EXPECT_EQ(gone.status, 0) << gone.err;
  EXPECT_EQ(read(config_), plain_config());
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(NodeInstallOthers, ACriThatDoesNotAnswerMayKnowTheHandlerStill) {
  start(plain_config());
  ASSERT_EQ(node("install").status, 0);
  write(config_, plain_config());
  const pid_t before = daemon();
  ASSERT_TRUE(signal_process(before, SIGSTOP));
  const Output left = ward({"node", "uninstall", "--socket", socket().string(), "--wait", "1"});
  ASSERT_TRUE(signal_process(before, SIGCONT));
  EXPECT_EQ(left.status, 6) << left.out << left.err;
  EXPECT_TRUE(fs::exists(shim())) << "pods start with it yet";
  EXPECT_EQ(node("uninstall").status, 0);
  EXPECT_NE(daemon(), before);
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(NodeInstallOthers, BundlesAreLookedForWhereTheCommandLineOfContainerdHasThem) {
  const std::string own = (directory_ / "elsewhere").string();
  write(config_,
        version_line() + rest() + plain_config().substr(plain_config().find("# a person")));
  start_as({"-c", config_.string(), "--root", (directory_ / "root").string(), "--state", own});
  const Output installed = node("install");
  ASSERT_EQ(installed.status, 0) << installed.err;
  write(own + "/io.containerd.runtime.v2.task/k8s.io/web/shim-binary-path", shim().string());
  EXPECT_EQ(json("status")["bundles"], 1);
  // What containerd keeps of a bundle that nobody runs is its own affair.
  fs::remove_all(own + "/io.containerd.runtime.v2.task/k8s.io");
  EXPECT_EQ(node("uninstall").status, 0);
}

// k3s: its containerd is a link to a program that is told by its name what it is.
TEST_F(NodeInstallOthers, AContainerdBehindALinkIsRunByThatLink) {
  const char* named = std::getenv("WARD_TEST_CONTAINERD");
  const fs::path own = directory_ / "own/containerd";
  fs::create_directories(own.parent_path());
  fs::copy_file(named != nullptr && *named != '\0' ? named : "/usr/bin/containerd",
                own.parent_path() / "k3s");
  fs::create_symlink("k3s", own);
  ::setenv("WARD_TEST_CONTAINERD", own.c_str(), 1);
  const ScopeExit back([named] {
    named == nullptr ? ::unsetenv("WARD_TEST_CONTAINERD")
                     : ::setenv("WARD_TEST_CONTAINERD", named, 1);
  });
  start(plain_config());
  ASSERT_EQ(node("install").status, 0);
  EXPECT_EQ(json_of_record()["containerd"], own.string());
  EXPECT_EQ(node("uninstall").status, 0);
}

TEST_F(NodeInstallOthers, NothingOfAStrangerBehindASocketIsExecuted) {
  const auto stranger = listener(directory_ / "stranger.sock", 65534);
  const Output refused = node("doctor", {"--socket", (directory_ / "stranger.sock").string()});
  EXPECT_THAT(refused.out, HasSubstr("belongs to user 65534"));
  const auto other = listener(directory_ / "other.sock", 0);
  EXPECT_THAT(node("install", {"--socket", (directory_ / "other.sock").string()}).err,
              HasSubstr("is no containerd"));
}

TEST_F(NodeInstallOthers, WithoutWardItsStatusSaysSoAndADryRunWaitsForNobody) {
  start(plain_config());
  EXPECT_EQ(node("status").status, 6);
  const int lock = ::open((directory_ / "ward/var/node.lock").c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  const Output busy = node("install", {"--dry-run"});
  ::close(lock);
  EXPECT_EQ(busy.status, 1);
  EXPECT_THAT(busy.err, HasSubstr("another `ward node` is at work"));
  EXPECT_EQ(node("install", {"--dry-run"}).status, 0);
  EXPECT_EQ(read(config_), plain_config());
}

}  // namespace
}  // namespace ward::test
