// SPDX-License-Identifier: Apache-2.0
// On the real cgroup file systems, below a directory of our own. Needs root.
#include "lib/linux/cgroup.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/linux/bpf_call.h"
#include "lib/linux/cgroup_paths.h"
#include "tests/support/await_cgroup.h"

namespace ward {
namespace {

class CgroupTest : public testing::TestWithParam<CgroupKind> {
 protected:
  void SetUp() override {
    const auto mounts = parse_cgroup_mounts(read_file("/proc/self/mountinfo").value());
    const auto mount = GetParam() == CgroupKind::kUnified ? mounts.unified : mounts.freezer;
    if (mount.empty()) GTEST_SKIP() << "this host has no such cgroup hierarchy";
    directory_ = mount / ("ward-test-" + random_hex(6));
    if (::mkdir(directory_.c_str(), 0755) != 0)
      GTEST_SKIP() << "cannot make cgroups here (not root?)";
    cgroup_.emplace(std::move(*Cgroup::open(GetParam(), directory_)));
  }
  void TearDown() override {
    if (!cgroup_) return;
    while (cgroup_->is_populated().value_or(false)) {
      (void)cgroup_->kill();
      while (::waitpid(-1, nullptr, WNOHANG) > 0) {
      }
    }
    ::rmdir(directory_.c_str());
  }

  // A member that forks `children` more and then all of them burn time.
  pid_t start_member(int children) {
    int ready[2];
    EXPECT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
      std::ofstream(directory_ / "cgroup.procs") << ::getpid() << std::flush;
      for (int i = 0; i < children; ++i) {
        if (::fork() == 0) break;
      }
      (void)!::write(ready[1], "x", 1);
      for (;;) asm volatile("");
    }
    char c = 0;
    for (int i = 0; i < children + 1; ++i) EXPECT_EQ(::read(ready[0], &c, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
    return pid;
  }

  std::filesystem::path directory_;
  std::optional<Cgroup> cgroup_;
};

TEST_P(CgroupTest, FreezesThawsAndListsEveryProcess) {
  start_member(3);
  EXPECT_EQ(cgroup_->pids()->size(), 4U);
  EXPECT_FALSE(*cgroup_->is_frozen());
  ASSERT_TRUE(cgroup_->request_freeze(true));
  EXPECT_TRUE(test::await_frozen(*cgroup_));
  ASSERT_TRUE(cgroup_->request_freeze(false));
  EXPECT_TRUE(*cgroup_->is_populated());
}

TEST_P(CgroupTest, I6_FrozenProcessesDieWhenKilled) {
  start_member(3);
  ASSERT_TRUE(cgroup_->request_freeze(true));
  ASSERT_TRUE(test::await_frozen(*cgroup_));
  EXPECT_TRUE(test::await_cgroup(*cgroup_, [&] {
    EXPECT_TRUE(cgroup_->kill());
    int status = 0;
    while (::waitpid(-1, &status, WNOHANG) > 0) EXPECT_EQ(WTERMSIG(status), SIGKILL);
    return !*cgroup_->is_populated();
  }));
}

TEST_P(CgroupTest, ARemovedCgroupIsEmptyNotAnError) {
  ASSERT_EQ(::rmdir(directory_.c_str()), 0);
  EXPECT_FALSE(*cgroup_->is_populated());
  EXPECT_TRUE(cgroup_->kill());
}

TEST_P(CgroupTest, TheCgroupOfATaskIsFoundAndOurOwnIsRefused) {
  const pid_t pid = start_member(0);
  auto found = open_cgroups_of(pid);
  ASSERT_TRUE(found) << found.error().message;
  const auto& cgroup = GetParam() == CgroupKind::kUnified ? found->unified : found->freezer;
  ASSERT_TRUE(cgroup);
  EXPECT_EQ(cgroup->path(), directory_.string());
  EXPECT_EQ(open_cgroups_of(::getpid()).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(open_cgroups_of(1 << 30).error().code, Code::kNotFound);
}

TEST_P(CgroupTest, EventsPollWhenTheLastProcessDies) {
  if (GetParam() != CgroupKind::kUnified) GTEST_SKIP() << "cgroup v1 has no cgroup.events";
  start_member(0);
  auto events = cgroup_->open_events();
  ASSERT_TRUE(events);
  char text[64];
  ASSERT_GT(::read(events->get(), text, sizeof(text)), 0);
  ASSERT_TRUE(cgroup_->kill());
  pollfd wait{.fd = events->get(), .events = POLLPRI, .revents = 0};
  EXPECT_EQ(::poll(&wait, 1, 5000), 1);
}

TEST_P(CgroupTest, PacketDropIsAttachedToBothDirectionsAndTakenAway) {
  if (GetParam() != CgroupKind::kUnified) GTEST_SKIP() << "cgroup v1 has no packet hook";
  auto program = load_packet_drop();
  if (!program) GTEST_SKIP() << program.error().message;
  ASSERT_TRUE(attach_packet_drop(*program, cgroup_->directory()));
  EXPECT_EQ(*count_packet_filters(cgroup_->directory(), true), 1U);
  EXPECT_EQ(*count_packet_filters(cgroup_->directory(), false), 1U);
  EXPECT_TRUE(attach_packet_drop(*program, cgroup_->directory()))
      << "a second time changes nothing";
  EXPECT_EQ(*count_packet_filters(cgroup_->directory(), false), 1U);
  ASSERT_TRUE(detach_packet_drop(*program, cgroup_->directory()));
  EXPECT_EQ(*count_packet_filters(cgroup_->directory(), true), 0U);
}

INSTANTIATE_TEST_SUITE_P(Hierarchies, CgroupTest,
                         testing::Values(CgroupKind::kUnified, CgroupKind::kFreezerV1),
                         [](const auto& parameter) {
                           return parameter.param == CgroupKind::kUnified ? "Unified" : "FreezerV1";
                         });

}  // namespace
}  // namespace ward
