// SPDX-License-Identifier: Apache-2.0
// Compiled files and configuration that are gone: what was good stays in force or is written again.
#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "profiles/filter/governed.h"
#include "tests/unit/enforcer/store/store_test_base.h"

namespace ward::enforcer {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// --- N02: compiled files that are gone

TEST_F(StoreTest, N02_WhateverIsRemovedOfTheStateIsWrittenAgainAndSaid) {
  write(places_.profiles() / "web.yaml", profile("web", 1));
  write(places_.policies() / "web.yaml", policy("web", "web"));
  store_->reload();
  const auto before = index();
  const std::string file = before.profiles(0).compiled_sha256() + ".profile";
  const std::vector<std::pair<std::string, std::function<void()>>> losses = {
      {"the index", [&] { fs::remove(places_.compiled_index()); }},
      {"a profile", [&] { fs::remove(places_.compiled() / file); }},
      {"the directory", [&] { fs::remove_all(places_.compiled()); }},
      {"the spool", [&] { fs::remove_all(places_.spool()); }},
      {"the mark", [&] { fs::remove(places_.state / "governed"); }},
      {"index and run directory",
       [&] { fs::remove(places_.compiled_index()), fs::remove_all(places_.run); }},
      // At once: while it is taken to pieces the database's writer may make some of it again.
      {"all", [&] { fs::rename(places_.state, directory_.path() / "gone"); }},
      {"a fifo instead",
       [&] {
         fs::remove(places_.compiled_index());
         ASSERT_EQ(::mkfifo(places_.compiled_index().c_str(), 0600), 0);
       }},
      {"another directory in its place",
       [&] {
         fs::remove_all(places_.compiled());
         fs::create_directories(directory_.path() / "elsewhere");
         fs::create_directory_symlink(directory_.path() / "elsewhere", places_.compiled());
       }},
      {"overwritten in place", [&] { write(places_.compiled_index(), "rubbish"); }},
      {"cut short in place", [&] { fs::resize_file(places_.compiled_index(), 100); }},
      {"an index of before", [&] {
         fs::copy_file(directory_.path() / "old", places_.compiled_index(),
                       fs::copy_options::overwrite_existing);
       }}};
  fs::copy_file(places_.compiled_index(), directory_.path() / "old");
  write(places_.policies() / "more.yaml", policy("more", "web"));
  store_->reload();
  for (const auto& [what, lose] : losses) {
    store_->look_again();
    store_->look_after_files(false);
    lose();
    store_->look_after_files(false);
    EXPECT_EQ(index().rules_size(), 2) << what;
    EXPECT_EQ(index().generation(), 2U) << what;
    EXPECT_EQ(sha256_hex(*read_file(places_.compiled() / file)) + ".profile", file) << what;
    EXPECT_EQ(filter::read_governed(places_), filter::Governed::kRefuse) << what;
    EXPECT_TRUE(fs::is_directory(places_.spool())) << what;
    EXPECT_TRUE(fs::is_directory(places_.evidence())) << what;
    if (what != "the mark") {
      EXPECT_THAT(store_->problems(), ElementsAre(StartsWith("warning: was gone or damaged")))
          << what;
    }
  }
}

TEST_F(StoreTest, N02_WhatWasGoodIsWrittenAgainAlsoWhileTheFilesAreBad) {
  write(places_.profiles() / "web.yaml", profile("web", 1));
  write(places_.policies() / "web.yaml", policy("web", "web"));
  store_->reload();
  for (const bool restarted : {false, true}) {
    write(places_.policies() / "web.yaml", "kind: [");
    if (restarted) open();
    store_->reload();
    fs::remove_all(places_.compiled());
    store_->look_after_files(false);
    ASSERT_EQ(index().rules_size(), 1) << restarted;
    EXPECT_TRUE(fs::exists(places_.compiled() / (index().rules(0).compiled_sha256() + ".profile")))
        << restarted;
    EXPECT_THAT(store_->problems(),
                Contains(HasSubstr("in force: what was good before, generation 1")));
  }
}

TEST_F(StoreTest, N02_ApplyAndSighupMakeTheDirectoriesAgain) {
  ASSERT_TRUE(apply(profile("web", 1)));
  fs::remove_all(places_.compiled());
  const auto applied = apply(profile("web", 2));
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(index().generation(), 2U);
  fs::remove_all(places_.compiled());
  store_->look_again();
  store_->reload();
  EXPECT_EQ(index().generation(), 2U);
}

TEST_F(StoreTest, N04_ApplyDoesNotStandForTheProfilesThatAreGoneWithTheirDirectory) {
  ASSERT_TRUE(apply(profile("web", 1)));
  fs::rename(places_.profiles(), directory_.path() / "aside");
  const auto refused = apply(profile("db", 1));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("the directory is gone"));
  EXPECT_EQ(index().profiles_size(), 1);
  EXPECT_EQ(index().profiles(0).name(), "web");
}

TEST_F(StoreTest, N02_StatusSaysWhatShimsReadNotWhatWasWritten) {
  EXPECT_EQ(store_->generation(), 0U);
  EXPECT_THAT(store_->problems(), IsEmpty()) << "a node without policies is no problem";
  write(places_.policies() / "bad.yaml", "kind: [");
  store_->reload();
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("in force: nothing")));
  write(places_.policies() / "bad.yaml", policy("web", "web"));
  store_->reload();
  EXPECT_EQ(store_->generation(), 1U);
  fs::remove_all(places_.compiled());
  EXPECT_EQ(store_->generation(), 0U);
  EXPECT_THAT(store_->problems(),
              Contains(HasSubstr("the compiled index is gone: new containers are refused")));
  fs::create_directories(places_.compiled());
  write(places_.compiled_index(), "rubbish");
  write(places_.policies() / "bad.yaml", "kind: [");
  store_->reload();
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("damaged")));
  EXPECT_THAT(store_->problems(), testing::Not(Contains(HasSubstr("what was good before"))));
}

TEST_F(StoreTest, N02_WhatCannotBeWrittenAgainStaysAProblemUntilItCan) {
  write(places_.policies() / "web.yaml", policy("web", "web"));
  store_->reload();
  fs::remove_all(places_.compiled());
  write(places_.compiled(), "a file in the way");
  store_->look_after_files(false);
  EXPECT_THAT(store_->problems(), Contains(StartsWith("compiled files cannot be written: ")));
  store_->look_after_files(false);
  fs::remove(places_.compiled());
  store_->look_after_files(false);
  EXPECT_THAT(store_->problems(),
              testing::Not(Contains(StartsWith("compiled files cannot be written: "))));
  EXPECT_EQ(index().rules_size(), 1);
}

TEST_F(StoreTest, N02_TheMarkSaysWhatTheNodeChoseAndIsNeverTakenBack) {
  store_->reload();
  EXPECT_EQ(filter::read_governed(places_), filter::Governed::kNever);
  write(places_.policies() / "web.yaml", policy("web", "web"));
  store_->reload();
  EXPECT_EQ(filter::read_governed(places_), filter::Governed::kRefuse);
  node::v1::NodeSettings settings;
  settings.set_open_when_ungoverned(true);
  store_->set_settings(settings);
  store_->reload();
  EXPECT_EQ(filter::read_governed(places_), filter::Governed::kOpen);
  write(places_.run / "governed", "rubbish");
  EXPECT_EQ(filter::read_governed(places_), filter::Governed::kRefuse) << "the strictest counts";
  fs::remove(places_.policies() / "web.yaml");
  store_->set_settings({});
  store_->reload();
  EXPECT_EQ(index().rules_size(), 0);
  EXPECT_EQ(filter::read_governed(places_), filter::Governed::kRefuse);
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("no policy is in force any more")));
  EXPECT_THAT(kinds(), Contains("policies-removed"));
}

TEST_F(StoreTest, N02_WhoRunsUngovernedIsKnown) {
  write(places_.policies() / "web.yaml", rules("web", 3));
  store_->reload();
  auto reader = store_->open_index();
  ASSERT_TRUE(reader);
  node::v1::ContainerStatus container;
  container.set_mode(node::v1::MODE_OFF);
  EXPECT_THAT(ProfileStore::ungoverned(*reader, container), HasSubstr("before there was one"));
  container.mutable_identity()->set_container_name("other");
  EXPECT_EQ(ProfileStore::ungoverned(*reader, container), "");
  container.mutable_identity()->set_container_name("web-1");
  EXPECT_THAT(ProfileStore::ungoverned(*reader, container),
              HasSubstr("policy 'web' selects it now"));
  container.set_policy("web");
  EXPECT_EQ(ProfileStore::ungoverned(*reader, container), "") << "a policy says off";
}

// --- N04: a configuration that is gone when wardd starts

TEST_F(StoreTest, N04_WhateverIsGoneOfTheConfigurationAtStartTheLastGoodStays) {
  write(places_.profiles() / "web.yaml", profile("web", 1));
  write(places_.policies() / "web.yaml", policy("web", "web"));
  store_->reload();
  const std::string before = *read_file(places_.compiled_index());
  const fs::path aside = directory_.path() / "aside";
  struct Case {
    const char* what;
    fs::path path;
    std::function<void()> instead;
  };
  const std::vector<Case> cases = {
      {"policies gone", places_.policies(), [] {}},
      {"profiles gone", places_.profiles(), [] {}},
      {"all gone", places_.config, [] {}},
      {"a file instead", places_.policies(), [&] { write(places_.policies(), "x"); }},
      {"a link that leads nowhere", places_.policies(),
       [&] { fs::create_symlink(directory_.path() / "nowhere", places_.policies()); }},
      {"a link to itself", places_.policies(),
       [&] { fs::create_symlink("policies", places_.policies()); }}};
  for (const auto& [what, path, instead] : cases) {
    fs::rename(path, aside);
    instead();
    open();
    store_->reload();
    store_->look_after_files(true);
    EXPECT_EQ(*read_file(places_.compiled_index()), before) << what;
    EXPECT_THAT(store_->problems(),
                Contains(HasSubstr("in force: what was good before, generation 1")))
        << what;
    EXPECT_EQ(store_->policies(), 1U) << what << ": what is in force is known without the files";
    EXPECT_EQ(store_->profiles_in_force(), 1U) << what;
    fs::remove(path);
    fs::rename(aside, path);
    store_->reload();
    EXPECT_THAT(store_->problems(), IsEmpty()) << what;
    EXPECT_EQ(*read_file(places_.compiled_index()), before) << what;
  }
}

TEST_F(StoreTest, N04_ADirectoryThatIsEmptyAtStartRemovesAllOfItAsItDoesLaterButAloud) {
  write(places_.policies() / "web.yaml", policy("web", "web"));
  store_->reload();
  fs::remove(places_.policies() / "web.yaml");
  open();
  store_->reload();
  EXPECT_EQ(index().rules_size(), 0);
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("1 rules were in force before")));
}

TEST_F(StoreTest, N04_WithIndexAndPoliciesGoneTheMarkKeepsAnEmptyIndexFromBeingWritten) {
  write(places_.policies() / "web.yaml", policy("web", "web"));
  store_->reload();
  fs::remove_all(places_.policies());
  fs::remove_all(places_.compiled());
  open();
  store_->reload();
  EXPECT_FALSE(fs::exists(places_.compiled_index()));
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("the directory is gone")));
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("new containers are refused")));
}

TEST_F(StoreTest, N04_WithIndexAndProfilesGoneTheMarkOrTheVersionsSeenSayThatThereWereProfiles) {
  write(places_.profiles() / "web.yaml", profile("web", 1));
  write(places_.policies() / "web.yaml", policy("web", "web") + "      missing: learn\n");
  store_->reload();
  const fs::path aside = directory_.path() / "aside";
  const auto remove_marks = [&] {
    fs::remove(places_.state / "governed"), fs::remove(places_.run / "governed");
  };
  const std::vector<std::pair<const char*, std::function<void()>>> losses = {
      {"the index", [&] { fs::remove(places_.compiled_index()); }},
      {"the index damaged", [&] { write(places_.compiled_index(), "rubbish"); }},
      {"the compiled directory", [&] { fs::remove_all(places_.compiled()); }},
      {"index and marks", [&] { fs::remove(places_.compiled_index()), remove_marks(); }},
      {"index, the mark says what nobody wrote",
       [&] {
         fs::remove(places_.compiled_index());
         write(places_.state / "governed", "ward-governed-1 refuse\n");
       }},
      {"all of the state",
       [&] { fs::remove_all(places_.state), fs::create_directories(places_.compiled()); }}};
  for (const auto& [what, lose] : losses) {
    store_.reset();
    journal_.reset();
    writer_.reset();
    lose();
    fs::rename(places_.profiles(), aside);
    open();
    store_->reload();
    EXPECT_THAT(store_->problems(), Contains(HasSubstr("profiles:1:1: the directory is gone")))
        << what;
    EXPECT_EQ(store_->generation(), 0U) << what << ": nothing is put in force";
    fs::rename(aside, places_.profiles());
    store_->reload();
    ASSERT_EQ(index().rules_size(), 1) << what;
    EXPECT_EQ(index().rules(0).profile_name(), "web") << what;
    EXPECT_EQ(index().profiles_size(), 1) << what;
  }
}

TEST_F(StoreTest, N04_ANodeThatNeverHadAProfileIsNotAskedForTheirDirectory) {
  fs::remove(places_.profiles());
  write(places_.policies() / "web.yaml", policy("web", "web") + "      missing: learn\n");
  store_->reload();
  ASSERT_EQ(index().rules_size(), 1);
  fs::remove(places_.compiled_index());
  open();
  store_->reload();
  EXPECT_EQ(index().rules_size(), 1);
}

}  // namespace
}  // namespace ward::enforcer
