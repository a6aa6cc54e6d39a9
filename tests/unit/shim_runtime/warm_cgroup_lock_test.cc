// SPDX-License-Identifier: Apache-2.0
#include "shim/runtime/warm_cgroup_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <sstream>

#include "lib/base/file.h"
#include "lib/linux/cgroup_paths.h"
#include "tests/support/loop_test.h"

namespace ward::shim::runtime {
namespace {

std::vector<pid_t> children() {
  std::istringstream text(read_file("/proc/thread-self/children").value_or(""));
  std::vector<pid_t> pids;
  for (pid_t pid = 0; text >> pid;) pids.push_back(pid);
  return pids;
}

class WarmCgroupLockTest : public test::LoopTest {
 protected:
  void SetUp() override {
    LoopTest::SetUp();
    if (parse_cgroup_mounts(read_file("/proc/self/mountinfo").value_or("")).favor_moves) {
      GTEST_SKIP() << "this node has favordynmods: there is nothing to warm";
    }
    ASSERT_TRUE(reaper_.start(nullptr, nullptr));
    ASSERT_TRUE(children().empty());
  }
  void TearDown() override {
    EXPECT_TRUE(run_until([] { return children().empty(); })) << "it was not reaped";
    LoopTest::TearDown();
  }

  Reaper reaper_{loop_};
  WarmCgroupLock lock_{reaper_};
};

TEST_F(WarmCgroupLockTest, OneProcessServesAllWhoHoldItAndEndsWithTheLast) {
  auto first = lock_.hold();
  auto second = lock_.hold();
  ASSERT_EQ(children().size(), 1U);
  first.reset();
  EXPECT_EQ(children().size(), 1U);
  const auto begin = std::chrono::steady_clock::now();
  second.reset();
  EXPECT_TRUE(run_until([] { return children().empty(); }));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

TEST_F(WarmCgroupLockTest, EndsByItselfWhereNobodyCameOrTheRuntimeTakesLong) {
  lock_.warm();
  EXPECT_EQ(children().size(), 1U);
  EXPECT_TRUE(run_until([] { return children().empty(); }));
  const auto held = lock_.hold();
  EXPECT_EQ(children().size(), 1U) << "it begins again";
  EXPECT_TRUE(run_until([] { return children().empty(); }));
}

TEST_F(WarmCgroupLockTest, ItStaysInItsCgroupAndHoldsNoneOfOurDescriptors) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const auto held = lock_.hold();
  ASSERT_EQ(children().size(), 1U);
  const std::string child = "/proc/" + std::to_string(children().front());
  writer.reset();
  pollfd end = {reader.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&end, 1, 5000), 1) << "a stream of a container would stay open";
  if (const auto theirs = read_file(child + "/cgroup")) {  // gone where it is of no use here
    EXPECT_EQ(*theirs, read_file("/proc/self/cgroup").value_or(""));
  }
}

}  // namespace
}  // namespace ward::shim::runtime
