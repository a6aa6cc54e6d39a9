// SPDX-License-Identifier: Apache-2.0
// What a bad day brings: readers that go away, no space.
#include <sys/mount.h>

#include <csignal>
#include <fstream>

#include "tests/integration/robustness_test_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(Robustness, AReaderThatVanishesInTheMiddleOfTheOutputEndsNothing) {
  const std::string id = node().unique("reader");
  {
    Child reader(
        node().ctr_command({"run", "--runtime", kWardRuntime, kBoxImage, id, "/box", "tick", "0"}),
        node().environment());
    ASSERT_TRUE(reader.await_output("tick ")) << reader.err();
    reader.signal(SIGKILL);
  }
  const pid_t shim = node().shim_pid(id);
  EXPECT_EQ(node().task_status(id), "RUNNING");
  Child next(node().ctr_command({"task", "attach", id}), node().environment());
  EXPECT_TRUE(next.await_output("tick ")) << next.err();
  next.signal(SIGKILL);
  EXPECT_TRUE(next.wait());
  EXPECT_EQ(exec_in(id, "e1", {"/box", "exit", "5"}).status, 5);
  EXPECT_EQ(node().shim_pid(id), shim);
  expect_nothing_is_left_of(node(), id, "a reader that vanished");
}

TEST_F(Robustness, OnAFullFileSystemAStartFailsClearlyAndLeavesNothing) {
  constexpr long kTotal = 256L << 10;
  const fs::path bundles = node().bundle("x").parent_path();
  fs::create_directories(bundles);
  ASSERT_EQ(::mount("full", bundles.c_str(), "tmpfs", 0, "size=256k,mode=711"), 0);
  unsigned failed = 0;
  for (long free = 0; free <= 48L << 10; free += 4L << 10) {
    {
      std::ofstream filler(bundles / ".filler");
      filler << std::string(static_cast<std::size_t>(kTotal - free), 'x');
    }
    const std::string id = node().unique("full");
    const Output output = run_box(id, {"/box", "exit", "3"});
    fs::remove(bundles / ".filler");
    EXPECT_NE(output.status, -1) << "hangs with " << free << " bytes free";
    if (output.status != 3) {
      ++failed;
      EXPECT_THAT(output.err, HasSubstr("o space left on device")) << free;
    }
    node().remove(id);
    // containerd may find no room for its own files after `start`; it then forgets the shim,
    // whichever shim that is.
    if (const pid_t forgotten = node().shim_pid(id); output.status != 3 && forgotten > 0)
      ::kill(forgotten, SIGTERM);
    await([&] { return remains_of_containers(node()).size() <= 1; }, std::chrono::seconds(10));
    EXPECT_THAT(remains_of_containers(node()), ElementsAre(HasSubstr(bundles.string())))
        << free;  // only the tmpfs
    EXPECT_FALSE(fs::exists(node().bundle(id))) << free;
    EXPECT_EQ(run_box(id, {"/box", "exit", "4"}).status, 4) << "second start after " << free;
  }
  EXPECT_GT(failed, 0U) << "space was never short";
  ::umount2(bundles.c_str(), MNT_DETACH);
  expect_no_remains(node(), "ENOSPC");
}

}  // namespace
}  // namespace ward::test
