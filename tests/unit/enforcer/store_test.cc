// SPDX-License-Identifier: Apache-2.0
// Files in, compiled directory out: what is in force, and what a bad file does to it (nothing, I9).
#include "enforcer/store/profile_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "enforcer/store/inotify_use.h"
#include "enforcer/store/watch.h"
#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "tests/unit/enforcer/run_until.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

std::string profile(const std::string& name, int version, const std::string& calls = "read, openat") {
  return "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: " + name +
         ", version: " + std::to_string(version) + "}\nspec:\n  architectures: [x86_64]\n  syscalls:\n    serving: [" +
         calls + "]\n";
}

std::string policy(const std::string& name, const std::string& of_profile) {
  return "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: " + name +
         "}\nspec:\n  rules:\n    - mode: enforce\n      profile: " + of_profile + "\n";
}

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    fs::create_directories(places_.profiles());
    fs::create_directories(places_.policies());
    fs::create_directories(places_.compiled());
    open();
  }

  void open() {
    store_.reset();
    journal_.reset();
    writer_.reset();
    writer_.emplace(loop_, places_.database());
    journal_.emplace(*writer_, places_.database(), JournalLimits{});
    store_.emplace(places_, *writer_, *journal_);
  }

  static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

  node::v1::CompiledIndex index() {
    node::v1::SealedFile sealed;
    node::v1::CompiledIndex out;
    const auto bytes = read_file(places_.compiled_index());
    if (!bytes) return out;
    EXPECT_TRUE(sealed.ParseFromString(*bytes));
    EXPECT_EQ(sealed.magic(), "ward-index-1");
    EXPECT_EQ(sealed.sha256(), sha256_hex(sealed.payload()));
    EXPECT_TRUE(out.ParseFromString(sealed.payload()));
    return out;
  }

  Result<Applied> apply(const std::string& yaml, bool rollback = false, bool dry_run = false) {
    std::optional<Result<Applied>> answer;
    store_->apply({yaml, "given.yaml", rollback, dry_run}, [&](Result<Applied> result) { answer = std::move(result); });
    EXPECT_TRUE(test::run_until(loop_, [&] { return answer.has_value(); }));
    return *answer;
  }

  std::vector<std::string> kinds() {
    bool stored = false;
    writer_->drain([&] { stored = true; });
    EXPECT_TRUE(test::run_until(loop_, [&] { return stored; }));
    std::vector<std::string> out;
    const auto records = journal_->read(0, "", 100);
    EXPECT_TRUE(records);
    for (const auto& record : *records) out.push_back(record.entry.kind);
    return out;
  }

  test::ScratchDirectory directory_;
  const Places places_{directory_.path() / "etc", directory_.path() / "state", directory_.path() / "run"};
  asio::io_context loop_;
  std::optional<Writer> writer_;
  std::optional<Journal> journal_;
  std::optional<ProfileStore> store_;
};

TEST_F(StoreTest, GoodFilesBecomeTheIndexAndItsProfiles) {
  write(places_.profiles() / "web.yaml", profile("web", 1));
  write(places_.policies() / "10-web.yaml", policy("web", "web"));
  store_->reload();
  EXPECT_THAT(store_->problems(), IsEmpty());
  const auto in_force = index();
  EXPECT_EQ(in_force.generation(), 1U);
  ASSERT_EQ(in_force.rules_size(), 1);
  EXPECT_EQ(in_force.rules(0).profile_digest(), store_->find("web")->digest);
  const auto bytes = read_file(places_.compiled() / (in_force.rules(0).compiled_sha256() + ".profile"));
  ASSERT_TRUE(bytes);
  EXPECT_EQ(sha256_hex(*bytes), in_force.rules(0).compiled_sha256());
}

TEST_F(StoreTest, WhatDidNotChangeIsNotWrittenAgain) {
  write(places_.profiles() / "web.yaml", profile("web", 1));
  store_->reload();
  struct stat before {
  }, after{};
  ASSERT_EQ(::stat(places_.compiled_index().c_str(), &before), 0);
  store_->reload();
  open();
  store_->reload();
  ASSERT_EQ(::stat(places_.compiled_index().c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  EXPECT_EQ(index().generation(), 1U);
  EXPECT_THAT(kinds(), ElementsAre("profile-applied")) << "and it is journalled once";
}

TEST_F(StoreTest, I9_ABadFileChangesNothingAndIsNamedOnce) {
  write(places_.profiles() / "web.yaml", profile("web", 1));
  store_->reload();
  const std::string before = *read_file(places_.compiled_index());
  write(places_.profiles() / "db.yaml", profile("db", 1));
  write(places_.profiles() / "bad.yaml", profile("bad", 1, "read, opennat"));
  store_->reload();
  store_->reload();
  EXPECT_EQ(*read_file(places_.compiled_index()), before) << "not even the good file beside it";
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("bad.yaml:7:21: ")));
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("openat")));
  EXPECT_EQ(store_->find("db"), nullptr);
  EXPECT_THAT(kinds(), ElementsAre("profile-applied", "rejected"));
  fs::remove(places_.profiles() / "bad.yaml");
  store_->reload();
  EXPECT_THAT(store_->problems(), IsEmpty());
  EXPECT_NE(store_->find("db"), nullptr);
}

TEST_F(StoreTest, I9_ABadFileAtStartLeavesTheIndexOfBefore) {
  write(places_.profiles() / "web.yaml", profile("web", 1));
  store_->reload();
  const std::string before = *read_file(places_.compiled_index());
  write(places_.profiles() / "web.yaml", "kind: [");
  open();
  store_->reload();
  EXPECT_EQ(*read_file(places_.compiled_index()), before);
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("web.yaml:1:")));
}

TEST_F(StoreTest, I9_AllBadFilesAreNamedAtOnce) {
  write(places_.profiles() / "a.yaml", "");
  write(places_.profiles() / "b.yaml", "\xff\xfe");
  write(places_.policies() / "c.yaml", "kind: Profile\n");
  write(places_.profiles() / "d.yaml", std::string(300'000, '#'));
  store_->reload();
  for (const char* name : {"a.yaml:", "b.yaml:", "c.yaml:", "d.yaml:"}) {
    EXPECT_THAT(store_->problems(), Contains(HasSubstr(name)));
  }
}

TEST_F(StoreTest, I9_TwoFilesOfOneProfileAreRefused) {
  write(places_.profiles() / "a.yaml", profile("web", 1));
  write(places_.profiles() / "b.yaml", profile("web", 2));
  store_->reload();
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("b.yaml:3:")));
  EXPECT_EQ(index().generation(), 0U);
}

TEST_F(StoreTest, I9_ADirectoryThatVanishesIsAProblemAnEmptyOneIsNot) {
  write(places_.profiles() / "web.yaml", profile("web", 1));
  store_->reload();
  fs::rename(places_.profiles(), directory_.path() / "aside");
  store_->reload();
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("the directory is gone")));
  EXPECT_EQ(index().profiles_size(), 1);
  fs::create_directories(places_.profiles());
  store_->reload();
  EXPECT_THAT(store_->problems(), IsEmpty());
  EXPECT_EQ(index().profiles_size(), 0);
}

TEST_F(StoreTest, I9_AFifoDoesNotHangTheDaemon) {
  ASSERT_EQ(::mkfifo((places_.profiles() / "trap.yaml").c_str(), 0600), 0);
  store_->reload();
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("trap.yaml:1:1: not a regular file")));
}

TEST_F(StoreTest, ALowerVersionIsRefusedAlsoAfterARestart) {
  write(places_.profiles() / "web.yaml", profile("web", 7));
  store_->reload();
  ASSERT_THAT(kinds(), ElementsAre("profile-applied"));
  open();
  write(places_.profiles() / "web.yaml", profile("web", 6));
  store_->reload();
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("version 6 of profile 'web' is lower than 7")));
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("web.yaml:3:")));
}

TEST_F(StoreTest, ApplyIsInForceWhenItAnswers) {
  const auto applied = apply(profile("web", 1));
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_FALSE(applied->unchanged);
  EXPECT_EQ(applied->profile.path, places_.profiles() / "web.yaml");
  EXPECT_EQ(*read_file(places_.profiles() / "web.yaml"), profile("web", 1));
  EXPECT_EQ(index().profiles_size(), 1);
  const auto again = apply(profile("web", 1));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->unchanged);
  EXPECT_EQ(store_->next_version("web"), 2U);
}

TEST_F(StoreTest, ApplyRefusesALowerVersionUnlessAPersonRollsBack) {
  ASSERT_TRUE(apply(profile("web", 3)));
  const auto refused = apply(profile("web", 2));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("--rollback"));
  EXPECT_THAT(refused.error().message, StartsWith("given.yaml:3:")) << "named as the person named it";
  EXPECT_EQ(*read_file(places_.profiles() / "web.yaml"), profile("web", 3));
  ASSERT_TRUE(apply(profile("web", 2), true));
  EXPECT_EQ(store_->find("web")->profile.version, 2U);
  open();
  store_->reload();
  EXPECT_THAT(store_->problems(), IsEmpty()) << "what was rolled back to stays in force";
}

TEST_F(StoreTest, ApplyOfABadProfileOrADryRunChangesNothing) {
  const auto bad = apply(profile("web", 1, "opennat"));
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Code::kInvalidArgument);
  EXPECT_THAT(bad.error().message, HasSubstr("given.yaml:7:"));
  ASSERT_TRUE(apply(profile("web", 1), false, true));
  EXPECT_FALSE(fs::exists(places_.profiles() / "web.yaml"));
  EXPECT_EQ(index().generation(), 0U);
}

TEST_F(StoreTest, ApplyReplacesTheFileThatHasTheProfile) {
  write(places_.profiles() / "shop.yaml", profile("web", 1));
  store_->reload();
  ASSERT_TRUE(apply(profile("web", 2)));
  EXPECT_EQ(*read_file(places_.profiles() / "shop.yaml"), profile("web", 2));
  EXPECT_FALSE(fs::exists(places_.profiles() / "web.yaml"));
}

TEST_F(StoreTest, ADamagedIndexOrCompiledFileIsWrittenAgain) {
  write(places_.profiles() / "web.yaml", profile("web", 1));
  store_->reload();
  const std::string file = index().profiles(0).compiled_sha256() + ".profile";
  write(places_.compiled_index(), "rubbish");
  write(places_.compiled() / file, "rubbish");
  open();
  store_->reload();
  EXPECT_EQ(index().profiles_size(), 1);
  EXPECT_EQ(sha256_hex(*read_file(places_.compiled() / file)) + ".profile", file);
  write(places_.compiled() / file, "rubbish");
  store_->look_again();  // SIGHUP
  store_->reload();
  EXPECT_EQ(sha256_hex(*read_file(places_.compiled() / file)) + ".profile", file);
}

TEST_F(StoreTest, OldCompiledFilesGoOnlyWhenNobodyUsesThem) {
  ASSERT_TRUE(apply(profile("web", 1)));
  const std::string used_digest = store_->find("web")->digest;
  const fs::path used = places_.compiled() / (index().profiles(0).compiled_sha256() + ".profile");
  ASSERT_TRUE(apply(profile("web", 2, "read")));
  const fs::path unused = places_.compiled() / (index().profiles(0).compiled_sha256() + ".profile");
  ASSERT_TRUE(apply(profile("web", 3, "openat")));
  store_->collect_garbage({});
  EXPECT_TRUE(fs::exists(unused)) << "a shim may be about to open it";
  const auto long_ago = fs::file_time_type::clock::now() - std::chrono::hours(1);
  fs::last_write_time(used, long_ago);
  fs::last_write_time(unused, long_ago);
  store_->collect_garbage({used_digest});
  EXPECT_TRUE(fs::exists(used));
  EXPECT_FALSE(fs::exists(unused));
}

TEST_F(StoreTest, I9_WithoutTheVersionsSeenNothingIsPutInForce) {
  store_.reset();
  journal_.reset();
  writer_.reset();
  write(places_.database(), std::string(8192, 'x'));
  open();
  write(places_.profiles() / "web.yaml", profile("web", 1));
  store_->reload();
  EXPECT_EQ(index().generation(), 0U);
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("not a database")));
}

// wardd watches, then reads, then runs its loop: what is written meanwhile must not wait for the half minute.
TEST_F(StoreTest, TheWatchTellsOfAChangeFromBeforeTheLoopRan) {
  int changes = 0;
  auto watch = Watch::start(loop_, {places_.config, places_.profiles(), places_.policies()}, [&] { ++changes; });
  ASSERT_TRUE(watch);
  write(places_.config / "wardd.yaml", "x");
  EXPECT_TRUE(test::run_until(
      loop_, [&] { return changes > 0; }, std::chrono::seconds(10)));
}

// The limit is of a user namespace, too: what has none left here has as many as before everywhere else. In a child,
// which ends without a word of its destructors. True where all expectations of `body` held.
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
    auto watch = Watch::start(loop, {places_.config, places_.profiles(), places_.policies()}, [&] { ++changes; });
    ASSERT_TRUE(watch->problem().has_value());
    EXPECT_THAT(*watch->problem(), HasSubstr("inotify_init1: Too many open files"));
    EXPECT_THAT(*watch->problem(), HasSubstr("fs.inotify.max_user_instances = 0: set it to 1024 or more"));
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
  EXPECT_THAT(describe_inotify_use(), testing::ContainsRegex("holds [0-9]+ inotify instances \\(.*[0-9]+"));
  ::close(one);
  ::close(two);
}

TEST_F(StoreTest, TheWatchSeesFilesLinksAndDirectoriesReplaced) {
  int changes = 0;
  auto watch = Watch::start(loop_, {places_.config, places_.profiles(), places_.policies()}, [&] { ++changes; });
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
  seen_after("the directory renamed away", [&] { fs::rename(places_.profiles(), directory_.path() / "old"); });
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
  seen_after("a file behind the new link", [&] { write(directory_.path() / "v2" / "c.yaml", "x"); });
}

}  // namespace
}  // namespace ward::enforcer
