// SPDX-License-Identifier: Apache-2.0
// Ward onto a node and off it again, by `ward node`. Each complaint about others' installers that
// is named here is one that must not be made about this one.
#include "lib/base/scope_exit.h"
#include "tests/integration/node_install_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class NodeInstall : public NodeInstallTest {};

// nvidia-container-toolkit 1040, containerd-shim-spin 386
TEST_F(NodeInstall, AddsTheHandlerAloneAndWithTheCgroupDriverThatRuncHas) {
  start(plain_config());
  const pid_t before = daemon();
  const Output dry = node("install", {"--dry-run"});
  EXPECT_EQ(dry.status, 0) << dry.err;
  EXPECT_THAT(dry.out, AllOf(HasSubstr("+[" + cri_table() + ".containerd.runtimes.ward]"),
                             HasSubstr("nothing was changed")));
  EXPECT_EQ(read(config_), plain_config());
  EXPECT_TRUE(nothing_is_left());

  const Output installed = node("install");
  ASSERT_EQ(installed.status, 0) << installed.err;
  EXPECT_THAT(installed.out, Not(HasSubstr("\n- ")));
  EXPECT_NE(daemon(), before);
  EXPECT_THAT(read(config_), HasSubstr(plain_config()));
  EXPECT_THAT(read(directory_ / "ward/etc/runtime.toml"), HasSubstr("SystemdCgroup = true"));
  EXPECT_TRUE(handler_is_live());
  EXPECT_TRUE(json("status")["handler_known"].get<bool>());
  EXPECT_EQ(json("status")["problems"], nlohmann::json::array());
}

// gpu-operator 712: a restart every hour.
TEST_F(NodeInstall, ASecondRunDoesNothing) {
  start(plain_config());
  ASSERT_EQ(node("install").status, 0);
  const pid_t before = daemon();
  const std::string text = read(config_);
  const auto inode = [this] { return fs::last_write_time(shim()); };
  const auto at = inode();
  const Output again = node("install");
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("nothing is to be done"));
  EXPECT_EQ(daemon(), before);
  EXPECT_EQ(read(config_), text);
  EXPECT_EQ(inode(), at);
}

// kata 11072: uninstall without a restart; kata PR 12491: something stays on a node; kata 10167:
// deploy, cleanup, deploy leaves the node NotReady.
TEST_F(NodeInstall, UninstallGivesEveryByteBackRestartsAndCanBeFollowedByAnInstall) {
  const std::string unfinished = plain_config() + "# no newline at the end";
  start(unfinished);
  for (int round = 0; round < 2; ++round) {
    const Output installed = node("install");
    ASSERT_EQ(installed.status, 0) << installed.err;
    EXPECT_TRUE(handler_is_live());
    const pid_t before = daemon();
    const Output gone = node("uninstall");
    ASSERT_EQ(gone.status, 0) << gone.err;
    EXPECT_NE(daemon(), before);
    EXPECT_FALSE(handler_is_live());
    EXPECT_EQ(read(config_), unfinished);
    EXPECT_TRUE(nothing_is_left());
  }
  EXPECT_THAT(node("uninstall").out, HasSubstr("nothing is installed"));
}

// kata 3229: where there was no config.toml, the new runtime was the only one.
TEST_F(NodeInstall, WithoutAConfigurationEverythingThatIsInForceStaysSo) {
  // In this program's mounts alone.
  ASSERT_EQ(::system("mkdir -p /etc/containerd && mount -t tmpfs tmpfs /etc/containerd"), 0);
  const ScopeExit back([] { (void)!::system("umount /etc/containerd"); });
  start_as({"--address", socket().string(), "--root", (directory_ / "root").string(), "--state",
            (directory_ / "state").string()});
  const Output installed = node("install");
  ASSERT_EQ(installed.status, 0) << installed.err;
  EXPECT_THAT(read("/etc/containerd/config.toml"), HasSubstr(".runtimes.runc]"));
  EXPECT_TRUE(handler_is_live("ward"));
  EXPECT_TRUE(handler_is_live("runc"));
  ASSERT_EQ(node("uninstall").status, 0);
  EXPECT_FALSE(fs::exists("/etc/containerd/config.toml"));
  stop();
}

// A file that names none of containerd's own runtimes has them; one that names any has no other.
TEST_F(NodeInstall, RuntimesThatAFileDoesNotNameAreCarriedAlong) {
  const std::string text = version_line() + places() + rest();
  start(text);
  const Output installed = node("install");
  ASSERT_EQ(installed.status, 0) << installed.err;
  EXPECT_TRUE(handler_is_live("runc"));
  EXPECT_TRUE(handler_is_live("ward"));
  ASSERT_EQ(node("uninstall").status, 0);
  EXPECT_EQ(read(config_), text);
}

// kata PR 13843: handlers were only ever added.
TEST_F(NodeInstall, AnotherNameOfTheHandlerTakesThePlaceOfTheFirst) {
  start(plain_config());
  ASSERT_EQ(node("install").status, 0);
  const Output renamed = node("install", {"--handler", "guarded"});
  ASSERT_EQ(renamed.status, 0) << renamed.err;
  EXPECT_TRUE(handler_is_live("guarded"));
  EXPECT_FALSE(handler_is_live("ward"));
  ASSERT_EQ(node("uninstall").status, 0);
  EXPECT_EQ(read(config_), plain_config());
}

// gpu-operator 1651: a drift that nobody noticed; and a configuration management that writes the
// file back.
TEST_F(NodeInstall, WhatSomebodyElseWritesBackIsToldAndMended) {
  start(plain_config());
  ASSERT_EQ(node("install").status, 0);
  write(config_, plain_config());
  EXPECT_EQ(node("status").status, 6);
  EXPECT_EQ(finding("drift")["level"], "problem");
  const Output again = node("install");
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("configuration management"));
  EXPECT_EQ(node("status").status, 0) << node("status").out;
}

class NodeUpgrade : public NodeInstallTest {
 protected:
  static fs::path busybox() {
    const char* cache = std::getenv("XDG_CACHE_HOME");
    return fs::path(cache != nullptr ? cache : "/var/cache") / "ward/peers/busybox-musl/busybox";
  }
  Output ctr(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"ctr", "--address", socket().string()});
    return run(arguments);
  }
  // The real shim, which says another version where one is given.
  void put_real_shim(const std::string& version) const {
    const fs::path to = directory_ / "payload/containerd-shim-ward-v1";
    ASSERT_EQ(run({"sh", "-c",
                   "LC_ALL=C sed 's/0\\.1\\.0/" + version + "/g' '" + shim_binary().string() +
                       "' >'" + to.string() + "'"})
                  .status,
              0);
    fs::permissions(to, fs::perms::owner_all);
  }
};

// kata PR 5913: "Text file busy"; rke2 10613: the path of a running pod's shim went, and the pod
// with it; containerd 10888: a new version is named, and the old one runs.
TEST_F(NodeUpgrade, ReplacesTheFileUnderARunningShimWhichStaysForAsLongAsItIsNeeded) {
  if (!fs::exists(busybox())) GTEST_SKIP() << "scripts/build-busybox was not run";
  put_real_shim("0.1.0");
  start(plain_config());
  ASSERT_EQ(node("install").status, 0);
  fs::create_directories(directory_ / "rootfs");
  fs::copy_file(busybox(), directory_ / "rootfs/busybox");
  const Output started =
      ctr({"run", "-d", "--null-io", "--runtime", "io.containerd.ward.v1", "--rootfs",
           (directory_ / "rootfs").string(), "web", "/busybox", "sleep", "600"});
  ASSERT_EQ(started.status, 0) << started.err;
  const ScopeExit end([this] {  // also where a check fails on the way
    ctr({"task", "rm", "-f", "web"});
    ctr({"container", "rm", "web"});
  });
  EXPECT_EQ(json("status")["shims"], 1);

  put_real_shim("0.2.0");
  EXPECT_THAT(node("install").err, HasSubstr("ward node upgrade"));
  const pid_t before = daemon();
  const Output upgraded = node("upgrade");
  ASSERT_EQ(upgraded.status, 0) << upgraded.err;
  EXPECT_EQ(daemon(), before) << "another shim needs no restart";
  EXPECT_EQ(json("status")["version"], "0.2.0");
  EXPECT_EQ(json("status")["older_shims"], 1);
  EXPECT_EQ(finding("older-shims")["level"], "warning");
  put_real_shim("0.1.0");
  EXPECT_THAT(node("upgrade").err, HasSubstr("newer"));

  const Output gone = node("uninstall");
  EXPECT_EQ(gone.status, 0) << gone.err;
  EXPECT_THAT(gone.out, HasSubstr("the shim stays"));
  EXPECT_TRUE(fs::exists(shim()));
  EXPECT_EQ(read(config_), plain_config());
  EXPECT_THAT(ctr({"task", "ls"}).out, HasSubstr("RUNNING")) << "over the restart";
  EXPECT_EQ(ctr({"task", "rm", "-f", "web"}).status, 0);
  EXPECT_EQ(ctr({"container", "rm", "web"}).status, 0);
  EXPECT_EQ(node("uninstall").status, 0);
  EXPECT_TRUE(nothing_is_left());
}

}  // namespace
}  // namespace ward::test
