// SPDX-License-Identifier: Apache-2.0
// Containment of what cannot be contained: its cgroups are gone. Containers that can be are in
// tests/supervisor.
#include "shim/supervisor/containment.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "lib/base/file.h"
#include "lib/linux/cgroup.h"
#include "lib/linux/cgroup_paths.h"
#include "tests/support/loop_test.h"

namespace ward::shim::supervisor {
namespace {

class GoneContainer : public test::LoopTest {
 protected:
  void SetUp() override {
    LoopTest::SetUp();
    const auto mounts = parse_cgroup_mounts(read_file("/proc/self/mountinfo").value());
    std::vector<std::filesystem::path> cgroups;
    const pid_t pid = ::fork();
    if (pid == 0) {
      for (;;) ::pause();
    }
    for (const auto& mount : {mounts.unified, mounts.freezer}) {
      const auto directory = mount / directory_.filename();
      if (mount.empty() || ::mkdir(directory.c_str(), 0755) != 0) continue;
      std::ofstream(directory / "cgroup.procs") << pid << std::flush;
      cgroups.push_back(directory);
    }
    auto opened = Containment::open(loop_, pid);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    for (const auto& directory : cgroups) EXPECT_EQ(::rmdir(directory.c_str()), 0) << directory;
    if (cgroups.empty()) GTEST_SKIP() << "cannot make cgroups here (not root?)";
    ASSERT_TRUE(opened) << opened.error().message;
    containment_ = std::move(*opened);
  }
  std::unique_ptr<Containment> containment_;
};

TEST_F(GoneContainer, AFreezeThatCannotBeRequestedLeavesNoHalfOfAQuarantine) {
  for (int i = 0; i < 2; ++i) {
    const auto begun = containment_->begin_quarantine();
    ASSERT_FALSE(begun);
    EXPECT_NE(begun.error().code, Code::kFailedPrecondition) << "not contained already";
    EXPECT_EQ(containment_->state(), ContainmentState::kFree);
    EXPECT_FALSE(containment_->is_contained());
  }
}

TEST_F(GoneContainer, AKillAnswersOnceWhateverTheFirstPassMeets) {
  int answers = 0;
  (void)containment_->kill([&](const Result<std::int64_t>&) { ++answers; });
  EXPECT_EQ(answers, 0) << "from the loop";
  EXPECT_TRUE(run_until([&] { return answers != 0; }));
  run_for(std::chrono::milliseconds(100));
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(containment_->state(), ContainmentState::kDead);
}

}  // namespace
}  // namespace ward::shim::supervisor
