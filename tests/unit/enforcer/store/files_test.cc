// SPDX-License-Identifier: Apache-2.0
// Files in, compiled directory out: what is in force, and what a bad file does to it (nothing, I9).
#include <sys/stat.h>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "tests/unit/enforcer/store/store_test_base.h"

namespace ward::enforcer {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(StoreTest, GoodFilesBecomeTheIndexAndItsProfiles) {
  write(places_.profiles() / "web.yaml", profile("web", 1));
  write(places_.policies() / "10-web.yaml", policy("web", "web"));
  store_->reload();
  EXPECT_THAT(store_->problems(), IsEmpty());
  const auto in_force = index();
  EXPECT_EQ(in_force.generation(), 1U);
  ASSERT_EQ(in_force.rules_size(), 1);
  EXPECT_EQ(in_force.rules(0).profile_digest(), store_->find("web")->digest);
  const auto bytes =
      read_file(places_.compiled() / (in_force.rules(0).compiled_sha256() + ".profile"));
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

TEST_F(StoreTest, F20_AProfileThatIsNotThereIsAWarningWithThePlaceOfItsName) {
  const fs::path file = places_.policies() / "10-web.yaml";
  write(file,
        "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n"
        "    - {match: {containers: [a]}, mode: \"off\"}\n"
        "    - match: {containers: [b]}\n      mode: enforce\n      profile: nowhere\n");
  store_->reload();
  EXPECT_THAT(store_->problems(),
              ElementsAre(HasSubstr("warning: " + file.string() +
                                    ":9:16: policy p, rule 2: there is no profile 'nowhere'")));
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
  EXPECT_THAT(store_->problems(),
              Contains(HasSubstr("version 6 of profile 'web' is lower than 7")));
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("web.yaml:3:")));
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

}  // namespace
}  // namespace ward::enforcer
