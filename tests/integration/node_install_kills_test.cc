// SPDX-License-Identifier: Apache-2.0
// `ward node` that is killed, that fails, and that meets a node which is not as it should be.
#include <sys/mount.h>

#include "lib/base/scope_exit.h"
#include "tests/integration/node_install_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class NodeInstallEnds : public NodeInstallTest {
 protected:
  // Nothing of an attempt that did not come through, and the same containerd as before.
  void expect_untouched(const std::string& text, pid_t before) const {
    EXPECT_EQ(read(config_), text);
    EXPECT_TRUE(nothing_is_left());
    EXPECT_EQ(daemon(), before);
    for (const auto& entry : fs::directory_iterator(config_.parent_path()))
      EXPECT_EQ(entry.path(), config_) << "left behind";
  }
  void refuses(const std::string& text, const std::string& says,
               std::vector<std::string> more = {}) {
    const pid_t before = daemon();
    const Output refused = node("install", std::move(more));
    EXPECT_EQ(refused.status, 1) << refused.out;
    EXPECT_THAT(refused.err, HasSubstr(says));
    expect_untouched(text, before);
  }
};

const char* const kSteps[] = {"node.recorded",  "node.program.containerd-shim-ward-v1",
                              "node.programs",  "node.options",
                              "node.config",    "node.restart",
                              "node.restarted", "node.verified"};

TEST_F(NodeInstallEnds, KilledAtAnyStepAndRunAgainItIsInstalled) {
  start(plain_config());
  for (const char* step : kSteps) {
    SCOPED_TRACE(step);
    EXPECT_EQ(node("install", {}, std::string(step) + "=kill").status, 128 + SIGKILL);
    const Output again = node("install");
    EXPECT_EQ(again.status, 0) << again.err;
    EXPECT_TRUE(handler_is_live());
    EXPECT_EQ(node("status").status, 0) << node("status").out;
    EXPECT_EQ(node("uninstall").status, 0);
    EXPECT_EQ(read(config_), plain_config());
    EXPECT_TRUE(nothing_is_left());
  }
}

TEST_F(NodeInstallEnds, KilledAtAnyStepOfAnUninstallAndRunAgainNothingIsLeft) {
  start(plain_config());
  for (const char* step :
       {"node.removing", "node.taken-out", "node.restarted-without", "node.programs-removed"}) {
    SCOPED_TRACE(step);
    ASSERT_EQ(node("install").status, 0);
    EXPECT_EQ(node("uninstall", {}, std::string(step) + "=kill").status, 128 + SIGKILL);
    const Output again = node("uninstall");
    EXPECT_EQ(again.status, 0) << again.err;
    EXPECT_FALSE(handler_is_live());
    EXPECT_EQ(read(config_), plain_config());
    EXPECT_TRUE(nothing_is_left());
  }
}

// A disk that is full in the middle, at each step.
TEST_F(NodeInstallEnds, WhatFailsAtAnyStepIsTakenBack) {
  start(plain_config());
  for (const char* step : kSteps) {
    SCOPED_TRACE(step);
    const Output failed = node("install", {}, std::string(step) + "=error(ENOSPC)");
    EXPECT_EQ(failed.status, 1) << failed.out;
    EXPECT_THAT(failed.err,
                AllOf(HasSubstr("No space left"), HasSubstr("Everything is as it was before")));
    expect_untouched(plain_config(), daemon());
    EXPECT_FALSE(handler_is_live());
  }
}

TEST_F(NodeInstallEnds, ADiskThatIsReallyFullIsTakenBackToo) {
  start(plain_config());
  const fs::path bin = directory_ / "bin";
  ASSERT_EQ(::mount("tmpfs", bin.c_str(), "tmpfs", 0, "size=32k"), 0);
  const ScopeExit back([&bin] { ::umount(bin.c_str()); });
  refuses(plain_config(), "No space left");
}

// A containerd that does not come back: what it was given is taken away, and it comes back.
TEST_F(NodeInstallEnds, AContainerdThatDoesNotComeBackGetsItsOldConfiguration) {
  start(plain_config());
  const std::string broken = restart_command() + "; [ -e " + (directory_ / "once").string() +
                             " ] || { touch " + (directory_ / "once").string() + "; exit 1; }";
  const Output failed = node("install", {"--restart-command", broken});
  EXPECT_EQ(failed.status, 1);
  EXPECT_THAT(failed.err, HasSubstr("Everything is as it was before"));
  EXPECT_EQ(read(config_), plain_config());
  EXPECT_TRUE(await([this] { return CriClient(socket()).status().has_value(); }));
  EXPECT_FALSE(handler_is_live());
}

TEST_F(NodeInstallEnds, WithoutSystemdItSaysWhatIsLeftToDoAndSeesThatItWasDone) {
  start(plain_config());
  const std::vector<std::string> by_hand = {"node",      "install",
                                            "--socket",  socket().string(),
                                            "--from",    (directory_ / "payload").string(),
                                            "--bin-dir", (directory_ / "bin").string()};
  const pid_t before = daemon();
  const Output left = ward(by_hand);
  EXPECT_EQ(left.status, 6) << left.err;
  EXPECT_THAT(left.out, HasSubstr("restart containerd"));
  EXPECT_EQ(daemon(), before);
  EXPECT_EQ(node("status").status, 6);
  ASSERT_TRUE(signal_process(before, SIGTERM));
  ASSERT_TRUE(await([&] { return daemon() != before && CriClient(socket()).status(); }));
  const Output done = ward(by_hand);
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(node("status").status, 0) << node("status").out;
  EXPECT_EQ(node("uninstall").status, 0);
}

// kata PR 13141: a dangling import wedges the restart.
TEST_F(NodeInstallEnds, AConfigurationThatWouldNotStartAgainIsLeftAloneAndItsFaultIsTold) {
  start(plain_config());
  const std::string dangling = "imports = [\"/nonexistent/x.toml\"]\n" + plain_config();
  write(config_, dangling);
  refuses(dangling, "/nonexistent/x.toml");
  EXPECT_EQ(finding("containerd-config")["level"], "problem");
  const std::string wrong = plain_config() + "this is = = no TOML\n";
  write(config_, wrong);
  refuses(wrong, "would not start again");
}

TEST_F(NodeInstallEnds, WithoutCriTheProgramsAreAllThereIs) {
  const std::string text =
      version_line() +
      "disabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.cri.v1.runtime\", "
      "\"io.containerd.cri.v1.images\"]\n" +
      places() + rest();
  write(config_, text);
  // CRI never answers: so this one is not waited for by it.
  supervisor_ = std::make_unique<Child>(
      std::vector<std::string>{"sh", "-c",
                               "containerd -c " + config_.string() + " & echo $! >" +
                                   (directory_ / "pid").string() + "; wait $!"},
      Child::Options{{"PATH=" + (directory_ / "bin").string() + ":/usr/sbin:/usr/bin"},
                     false,
                     (directory_ / "containerd.log").string()});
  ASSERT_TRUE(await([this] { return fs::exists(socket()); }));
  const pid_t before = daemon();
  const Output installed = node("install");
  EXPECT_EQ(installed.status, 0) << installed.err;
  EXPECT_THAT(installed.out, HasSubstr("no CRI plugin"));
  EXPECT_EQ(daemon(), before);
  EXPECT_TRUE(fs::exists(shim()));
  EXPECT_EQ(node("uninstall").status, 0);
  EXPECT_TRUE(nothing_is_left());
  EXPECT_EQ(read(config_), text);
}

TEST_F(NodeInstallEnds, AReadOnlyConfigurationChangesNothing) {
  start(plain_config());
  const fs::path etc = config_.parent_path();
  ASSERT_EQ(::mount(etc.c_str(), etc.c_str(), nullptr, MS_BIND, nullptr), 0);
  const ScopeExit back([&etc] { ::umount(etc.c_str()); });
  ASSERT_EQ(::mount(nullptr, etc.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr), 0);
  refuses(plain_config(), "Read-only file system");
}

TEST_F(NodeInstallEnds, ASymbolicLinkStaysOneAndItsFileIsWritten) {
  const fs::path real = directory_ / "kept/real.toml";
  write(real, plain_config());
  fs::create_symlink(real, config_);
  start_as({"-c", config_.string()});
  ASSERT_EQ(node("install").status, 0);
  EXPECT_TRUE(fs::is_symlink(config_));
  EXPECT_THAT(read(real), HasSubstr("# ward: begin"));
  ASSERT_EQ(node("uninstall").status, 0);
  EXPECT_TRUE(fs::is_symlink(config_));
  EXPECT_EQ(read(real), plain_config());
}

TEST_F(NodeInstallEnds, AContainerdThatIsDownIsToldAndAnUninstallGoesOn) {
  start(plain_config());
  ASSERT_EQ(node("install").status, 0);
  stop();
  EXPECT_THAT(node("install").err, HasSubstr("no containerd answers"));
  EXPECT_EQ(node("status").status, 6);
  EXPECT_EQ(finding("containerd-missing")["level"], "problem");
  const Output gone = node("uninstall");
  EXPECT_EQ(gone.status, 0) << gone.err;
  EXPECT_THAT(gone.out, HasSubstr("its next start is without Ward"));
  EXPECT_EQ(read(config_), plain_config());
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(NodeInstallEnds, ASecondWardInContainerdsPathIsNamed) {
  const fs::path other = directory_ / "first";
  fs::create_directories(other);
  start(plain_config());
  // `bin` stands first in PATH: install behind it.
  fs::copy_file(directory_ / "payload/containerd-shim-ward-v1", shim());
  const Output refused = node("install", {"--bin-dir", "/usr/local/bin"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("another Ward"), HasSubstr(shim().string())));
  EXPECT_EQ(read(config_), plain_config());
}

// gpu-operator 991, containerd 10437: a restart while a task is made and not started loses it. What
// ctr would say of one is said by a script in its place beside containerd.
TEST_F(NodeInstallEnds, ATaskThatIsMadeAndNotStartedHoldsTheRestartUp) {
  const char* named = std::getenv("WARD_TEST_CONTAINERD");
  const fs::path own = directory_ / "own";
  fs::create_directories(own);
  fs::copy_file(named != nullptr && *named != '\0' ? named : "/usr/bin/containerd",
                own / "containerd");
  write(own / "ctr",
        "#!/bin/sh\ncase \"$*\" in *namespaces*) echo k8s.io ;; *) echo 'TASK PID STATUS'; [ -e " +
            (directory_ / "started").string() + " ] || echo 'web 12 CREATED' ;; esac\n");
  fs::permissions(own / "ctr", fs::perms::owner_all);
  ::setenv("WARD_TEST_CONTAINERD", (own / "containerd").c_str(), 1);
  const ScopeExit back([named] {
    named == nullptr ? ::unsetenv("WARD_TEST_CONTAINERD")
                     : ::setenv("WARD_TEST_CONTAINERD", named, 1);
  });
  start(plain_config());
  refuses(plain_config(), "k8s.io/web", {"--wait", "1"});
  write(directory_ / "started", "");
  const Output installed = node("install");
  EXPECT_EQ(installed.status, 0) << installed.err;
  EXPECT_EQ(node("uninstall").status, 0);
}

}  // namespace
}  // namespace ward::test
