// SPDX-License-Identifier: Apache-2.0
// The watch tells of every change of a file, also without an inotify instance.
#include <sched.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/store/inotify_use.h"
#include "enforcer/store/watch.h"
#include "tests/unit/enforcer/store/store_test_base.h"

namespace ward::enforcer {
namespace {

using testing::HasSubstr;

// wardd watches, then reads, then runs its loop: what is written meanwhile must not wait for the
// half minute.
TEST_F(StoreTest, TheWatchTellsOfAChangeFromBeforeTheLoopRan) {
  int changes = 0;
  auto watch = Watch::start(loop_, {places_.config, places_.profiles(), places_.policies()},
                            [&] { ++changes; });
  ASSERT_TRUE(watch);
  write(places_.config / "wardd.yaml", "x");
  EXPECT_TRUE(test::run_until(
      loop_, [&] { return changes > 0; }, std::chrono::seconds(10)));
}

// The limit is of a user namespace, too: what has none left here has as many as before everywhere
// else. In a child, which ends without a word of its destructors. True where all expectations of
// `body` held.
bool holds_without_inotify(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::ofstream limit;
    if (::unshare(CLONE_NEWUSER) == 0) limit.open("/proc/sys/user/max_inotify_instances");
    limit << 0 << std::flush;
    if (!limit || ::inotify_init1(0) >= 0) ::_exit(77);
    body();
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << status;
  EXPECT_NE(WEXITSTATUS(status), 77) << "no user namespace with a limit of its own";
  return status == 0;
}

TEST_F(StoreTest, N01_WithoutAnInotifyInstanceTheWatchLooksByTimerAndSaysWhoHoldsThemAndWhatToSet) {
  EXPECT_TRUE(holds_without_inotify([&] {
    asio::io_context loop{1};
    int changes = 0;
    auto watch = Watch::start(loop, {places_.config, places_.profiles(), places_.policies()},
                              [&] { ++changes; });
    ASSERT_TRUE(watch->problem().has_value());
    EXPECT_THAT(*watch->problem(), HasSubstr("inotify_init1: Too many open files"));
    EXPECT_THAT(*watch->problem(),
                HasSubstr("fs.inotify.max_user_instances = 0: set it to 1024 or more"));
    const auto seen_after = [&](const char* what, const std::function<void()>& change) {
      const int before = changes;
      change();
      EXPECT_TRUE(test::run_until(loop, [&] { return changes > before; })) << what;
    };
    seen_after("a file", [&] { write(places_.profiles() / "a.yaml", "x"); });
    seen_after("a link in the place of a directory", [&] {
      fs::rename(places_.profiles(), directory_.path() / "old");
      fs::create_directory_symlink(directory_.path() / "old", places_.profiles());
    });
    seen_after("the same size", [&] { write(places_.profiles() / "a.yaml", "y"); });
  }));
}

TEST_F(StoreTest, N01_TheWatchTakesAnInstanceAsSoonAsThereIsOneAndTheProblemGoes) {
  EXPECT_TRUE(holds_without_inotify([&] {
    asio::io_context loop{1};
    auto watch = Watch::start(loop, {places_.config}, [] {});
    EXPECT_TRUE(watch->problem().has_value());
    std::ofstream("/proc/sys/user/max_inotify_instances") << 10;
    EXPECT_TRUE(test::run_until(loop, [&] { return !watch->problem(); }));
  }));
}

TEST_F(StoreTest, N01_WhoHoldsInotifyInstancesIsCounted) {
  const int one = ::inotify_init1(IN_CLOEXEC);
  const int two = ::inotify_init1(IN_CLOEXEC);
  EXPECT_THAT(describe_inotify_use(),
              testing::ContainsRegex("holds [0-9]+ inotify instances \\(.*[0-9]+"));
  ::close(one);
  ::close(two);
}

TEST_F(StoreTest, TheWatchSeesFilesLinksAndDirectoriesReplaced) {
  int changes = 0;
  auto watch = Watch::start(loop_, {places_.config, places_.profiles(), places_.policies()},
                            [&] { ++changes; });
  ASSERT_TRUE(watch);
  const auto seen_after = [&](const char* what, const std::function<void()>& change) {
    const int before = changes;
    change();
    EXPECT_TRUE(test::run_until(loop_, [&] { return changes > before; })) << what;
  };
  seen_after("a file", [&] { write(places_.profiles() / "a.yaml", "x"); });
  seen_after("renamed over", [&] {
    write(directory_.path() / "new", "y");
    fs::rename(directory_.path() / "new", places_.profiles() / "a.yaml");
  });
  seen_after("the directory renamed away",
             [&] { fs::rename(places_.profiles(), directory_.path() / "old"); });
  seen_after("a link in its place", [&] {
    fs::create_directories(directory_.path() / "v1");
    fs::create_directory_symlink(directory_.path() / "v1", places_.profiles());
  });
  seen_after("a file behind the link", [&] { write(directory_.path() / "v1" / "b.yaml", "x"); });
  seen_after("the link swapped", [&] {
    fs::create_directories(directory_.path() / "v2");
    fs::create_directory_symlink(directory_.path() / "v2", places_.config / "swap");
    fs::rename(places_.config / "swap", places_.profiles());
  });
  seen_after("a file behind the new link",
             [&] { write(directory_.path() / "v2" / "c.yaml", "x"); });
}

}  // namespace
}  // namespace ward::enforcer
