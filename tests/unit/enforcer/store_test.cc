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
#include "lib/oci/seccomp.h"
#include "profiles/filter/governed.h"
#include "profiles/filter/index_reader.h"
#include "profiles/yaml/read_yaml.h"
#include "tests/unit/enforcer/run_until.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::string profile(const std::string& name, int version,
                    const std::string& calls = "read, openat") {
  return "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: " + name +
         ", version: " + std::to_string(version) +
         "}\nspec:\n  architectures: [x86_64]\n  syscalls:\n    serving: [" + calls + "]\n";
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
    auto reader = filter::IndexReader::open(places_.compiled_index());
    const auto all = reader ? reader->read_all() : Result<node::v1::CompiledIndex>();
    EXPECT_TRUE(all) << all.error().message;
    return all.value_or(node::v1::CompiledIndex());
  }

  Result<Applied> apply(const std::string& yaml, bool rollback = false, bool dry_run = false) {
    std::optional<Result<Applied>> answer;
    store_->apply({yaml, "given.yaml", rollback, dry_run},
                  [&](Result<Applied> result) { answer = std::move(result); });
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
    for (const auto& record : *records) out.emplace_back(event_kind_name(record.entry.kind));
    return out;
  }

  test::ScratchDirectory directory_;
  const Places places_{directory_.path() / "etc", directory_.path() / "state",
                       directory_.path() / "run"};
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

// --- N02: compiled files that are gone

std::string rules(const std::string& name, int count) {
  std::string text = "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: " + name +
                     "}\nspec:\n  rules:\n";
  for (int i = 0; i < count; ++i) {
    text += "    - {match: {containers: [" + name + "-" + std::to_string(i) +
            "]}, mode: enforce, profile: web}\n";
  }
  return text;
}

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

// --- N03: an index of an older version, which its shims read as long as their pods live

std::string index_of_before(const node::v1::CompiledIndex& index) {
  node::v1::SealedFile file;
  file.set_magic("ward-index-1");
  file.set_payload(index.SerializeAsString());
  file.set_sha256(sha256_hex(file.payload()));
  return file.SerializeAsString();
}

// What an older wardd leaves: its index under its name, and neither mark nor a newer index.
TEST_F(StoreTest, I9_N03_WhatAnOlderWarddHadInForceIsTakenOverAndItsIndexLeftAsItIs) {
  write(places_.profiles() / "web.yaml", profile("web", 1));
  write(places_.policies() / "web.yaml", policy("web", "web"));
  node::v1::NodeSettings settings;
  settings.set_runtime_binary("/usr/sbin/runc");
  store_->set_settings(settings);
  store_->reload();
  const auto in_force = index();
  const std::string old = index_of_before(in_force);
  struct Case {
    const char* what;
    std::function<void()> spoil;
    std::function<void()> mend;
  };
  const std::vector<Case> cases = {
      {"a file that is refused now", [&] { write(places_.profiles() / "web.yaml", "kind: ["); },
       [&] { write(places_.profiles() / "web.yaml", profile("web", 1)); }},
      {"profiles gone", [&] { fs::rename(places_.profiles(), directory_.path() / "aside"); },
       [&] { fs::rename(directory_.path() / "aside", places_.profiles()); }},
      {"policies gone", [&] { fs::rename(places_.policies(), directory_.path() / "aside"); },
       [&] { fs::rename(directory_.path() / "aside", places_.policies()); }},
      {"all is good", [] {}, [] {}}};
  for (const auto& [what, spoil, mend] : cases) {
    fs::remove(places_.compiled_index());
    fs::remove(places_.state / "governed");
    fs::remove(places_.run / "governed");
    write(places_.compiled_index_of_before(), old);
    spoil();
    EXPECT_EQ(filter::read_governed(places_), filter::Governed::kRefuse)
        << what << ": before the newer wardd";
    open();
    store_->reload();
    store_->look_after_files(true);
    EXPECT_EQ(index().SerializeAsString(), in_force.SerializeAsString()) << what;
    EXPECT_EQ(filter::read_governed(places_), filter::Governed::kRefuse) << what;
    EXPECT_EQ(*read_file(places_.compiled_index_of_before()), old) << what;
    mend();
    store_->reload();
    EXPECT_THAT(store_->problems(), IsEmpty()) << what;
  }
  write(places_.policies() / "more.yaml", policy("more", "web"));
  store_->reload();
  EXPECT_EQ(index().rules_size(), 2);
  EXPECT_EQ(*read_file(places_.compiled_index_of_before()), old) << "whatever comes later";
  fs::remove(places_.compiled_index());
  write(places_.policies() / "more.yaml", "kind: [");
  open();
  store_->reload();
  EXPECT_EQ(store_->generation(), 0U) << "what was in force long ago does not come back";
}

TEST_F(StoreTest, N03_AnOlderIndexThatIsDamagedMakesNobodyThinkThatTheNodeWasNeverGoverned) {
  write(places_.compiled_index_of_before(), "rubbish");
  fs::remove(places_.policies());
  open();
  store_->reload();
  EXPECT_EQ(store_->generation(), 0U);
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("the directory is gone")));
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("new containers are refused")));
  fs::create_directory(places_.policies());
  store_->reload();
  EXPECT_THAT(store_->problems(), IsEmpty());
  write(places_.compiled_index_of_before(), index_of_before([] {
          node::v1::CompiledIndex empty;
          empty.set_format(1);
          return empty;
        }()));
  EXPECT_EQ(filter::read_governed(places_), filter::Governed::kNever) << "it had no policy";
}

TEST_F(StoreTest, N03_ProfilesThatAnOlderIndexNamesAreKeptAsLongAsItIsThere) {
  ASSERT_TRUE(apply(profile("web", 1)));
  const fs::path named = places_.compiled() / (index().profiles(0).compiled_sha256() + ".profile");
  write(places_.compiled_index_of_before(), index_of_before(index()));
  ASSERT_TRUE(apply(profile("web", 2, "read")));
  const auto collect = [&] {
    fs::last_write_time(named, fs::file_time_type::clock::now() - std::chrono::hours(1));
    store_->collect_garbage({});
  };
  collect();
  EXPECT_TRUE(fs::exists(named));
  write(places_.compiled_index_of_before(), "rubbish");
  collect();
  EXPECT_TRUE(fs::exists(named)) << "nobody can say what it named";
  fs::remove(places_.compiled_index_of_before());
  collect();
  EXPECT_FALSE(fs::exists(named));
}

// --- N03: what no shim reads

TEST_F(StoreTest, N03_FortyFilesOfAThousandRulesAreReadByTheShimsReader) {
  for (int i = 10; i < 50; ++i) {
    write(places_.policies() / (std::to_string(i) + ".yaml"), rules("p" + std::to_string(i), 1000));
  }
  store_->reload();
  const auto problems = store_->problems();
  EXPECT_EQ(std::count_if(problems.begin(), problems.end(),
                          [](auto& p) { return p.rfind("warning: ", 0) != 0; }),
            0);
  auto reader = filter::IndexReader::open(places_.compiled_index());
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(reader->rules(), 40'000U);
  node::v1::Identity identity;
  identity.set_container_name("p49-999");
  const auto governing = reader->find_governing(identity);
  ASSERT_TRUE(governing && governing->rule);
  EXPECT_EQ(governing->rule->policy(), "p49");
  EXPECT_LE(reader->looked_at(), 20U);
}

TEST_F(StoreTest, N03_APolicyThatIsKnownAlreadyCountsOnlyAsLongAsItsFileSaysSo) {
  write(places_.policies() / "a.yaml", rules("a", 2));
  write(places_.policies() / "b.yaml", rules("b", 1));
  store_->reload();
  write(places_.policies() / "b.yaml", rules("b", 3));
  store_->reload();
  EXPECT_EQ(index().rules_size(), 5);
  write(places_.policies() / "a.yaml", "kind: [");
  store_->reload();
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("a.yaml:1:")));
  fs::remove(places_.policies() / "a.yaml");
  store_->reload();
  EXPECT_EQ(index().rules_size(), 3);
  fs::rename(places_.policies() / "b.yaml", places_.policies() / "c.yaml");
  write(places_.policies() / "d.yaml", rules("b", 3));
  store_->reload();
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("d.yaml:3:")));
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("c.yaml already")))
      << "and under its name of now";
}

TEST_F(StoreTest, N03_I9_MoreRulesThanShimsReadAreRefusedWithTheFileThatIsTooMuch) {
  write(places_.policies() / "10.yaml", rules("first", 10));
  store_->reload();
  const std::string before = *read_file(places_.compiled_index());
  for (int i = 11; i < 62; ++i) {
    write(places_.policies() / (std::to_string(i) + ".yaml"), rules("p" + std::to_string(i), 1000));
  }
  store_->reload();
  EXPECT_EQ(*read_file(places_.compiled_index()), before);
  EXPECT_THAT(store_->problems(),
              Contains(HasSubstr("60.yaml:5:3: with this file the policies have more than 50000")));
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("take rules together")));
}

TEST_F(StoreTest, N03_I9_AProfileThatIsTooLargeForShimsIsRefusedWithItsFile) {
  std::string calls;
  int count = 0;
  for (const auto& [name, nr] : oci::known_syscalls()) {
    std::string call = "{name: " + name + ", args: [";
    for (int argument = 0; argument < 6; ++argument) {
      call += (argument == 0 ? "{index: " : ", {index: ") + std::to_string(argument) +
              ", oneOf: [18000000000000000000, 18000000000000000001]}";
    }
    call += "]}";
    if (count == 200 || !profiles::read_profile(profile("one", 1, call), "one"))
      continue;  // the danger set
    calls += (calls.empty() ? "" : ", ") + call;
    ++count;
  }
  ASSERT_EQ(count, 200);
  write(places_.profiles() / "huge.yaml", profile("huge", 1, calls));
  store_->reload();
  EXPECT_THAT(store_->problems(),
              Contains(HasSubstr("huge.yaml:1:1: compiled, profile 'huge' has more than")));
  EXPECT_FALSE(fs::exists(places_.compiled_index()));
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
  EXPECT_THAT(refused.error().message, StartsWith("given.yaml:3:"))
      << "named as the person named it";
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

constexpr const char* kPolicyOfWeb =
    "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: shop}\nspec:\n  rules:\n"
    "    - {match: {containers: [\"web-*\"]}, mode: enforce, profile: web}\n";

TEST_F(StoreTest, F27_AGoodProfileIsAppliedBesideABadPolicyAndWhatWasInForceOfItStays) {
  write(places_.policies() / "shop.yaml", kPolicyOfWeb);
  ASSERT_TRUE(apply(profile("web", 1)));
  write(places_.policies() / "bad.yaml", "kind: Polcy\n");
  write(places_.policies() / "shop.yaml", "spec: {rules: [}\n");
  store_->reload();
  const auto before = index();
  const auto applied = apply(profile("web", 2, "read"));
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_THAT(applied->warnings, Contains(HasSubstr("other files of this node are bad")));
  EXPECT_EQ(*read_file(places_.profiles() / "web.yaml"), profile("web", 2, "read"));
  ASSERT_EQ(index().rules_size(), 1) << "the last good policy stays";
  EXPECT_EQ(index().rules(0).profile_digest(), applied->profile.digest);
  EXPECT_EQ(index().rules(0).selector().SerializeAsString(),
            before.rules(0).selector().SerializeAsString());
  EXPECT_NE(index().rules(0).compiled_sha256(), before.rules(0).compiled_sha256());
  EXPECT_TRUE(fs::exists(places_.compiled() / (index().rules(0).compiled_sha256() + ".profile")));
  store_->reload();
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("bad.yaml:1:7"))) << "said as before";
  EXPECT_EQ(index().rules(0).profile_digest(), applied->profile.digest);
  // Also after a restart, when only the compiled files say what was in force.
  open();
  store_->reload();
  ASSERT_TRUE(apply(profile("web", 3)));
  EXPECT_EQ(index().rules_size(), 1);
  EXPECT_EQ(store_->profiles().size(), 1U);
  fs::remove(places_.policies() / "bad.yaml");
  write(places_.policies() / "shop.yaml", kPolicyOfWeb);
  store_->reload();
  EXPECT_THAT(store_->problems(), IsEmpty());
  EXPECT_EQ(store_->find("web")->profile.version, 3U);
}

TEST_F(StoreTest, TheGateOfAPolicyHoldsWhileItsFileIsBadAndAlsoAfterARestart) {
  const std::string gated =
      "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: shop}\nspec:\n  rules:\n"
      "    - {mode: enforce, profile: \"{container}\", enforceAfter: {runs: 5}}\n";
  const std::string learned = "provenance: {runs: '5'}\n", few = "provenance: {runs: '1'}\n";
  write(places_.policies() / "shop.yaml", gated);
  ASSERT_TRUE(apply(profile("web", 1) + learned));
  EXPECT_THAT(apply(profile("web", 2) + few).error().message,
              HasSubstr("1 runs (5 are asked for)"));
  write(places_.policies() / "shop.yaml", "spec: {rules: [}\n");
  for (int i = 0; i < 2; ++i) {
    store_->reload();
    EXPECT_THAT(apply(profile("web", 2) + few).error().message,
                HasSubstr("policy shop, rule 1 asks for more before it enforces profile web"));
    open();
  }
  store_->reload();
  EXPECT_TRUE(apply(profile("web", 2) + learned));
  // A way back is for an emergency; the flag alone opens nothing.
  EXPECT_FALSE(apply(profile("web", 3) + few, true));
  EXPECT_TRUE(apply(profile("web", 1) + few, true));
}

TEST_F(StoreTest, F27_BesideABadFileAProfileIsStillJudgedItself) {
  ASSERT_TRUE(apply(profile("web", 2)));
  write(places_.policies() / "bad.yaml", "kind: Polcy\n");
  store_->reload();
  const auto lower = apply(profile("web", 1));
  ASSERT_FALSE(lower);
  EXPECT_THAT(lower.error().message, StartsWith("given.yaml:3:"))
      << "only what it changes: " << lower.error().message;
  write(places_.profiles() / "another.yaml", profile("api", 1));
  const auto taken = apply(profile("api", 2));
  ASSERT_TRUE(taken) << "the file that has it already: " << taken.error().message;
  EXPECT_EQ(*read_file(places_.profiles() / "another.yaml"), profile("api", 2));
}

TEST_F(StoreTest, F27_AReactionThatChangesWaitsForTheFileOfTheRuleThatNamesTheProfile) {
  write(places_.policies() / "shop.yaml", kPolicyOfWeb);
  ASSERT_TRUE(apply(profile("web", 1)));
  write(places_.policies() / "bad.yaml", "kind: Polcy\n");
  store_->reload();
  const auto milder = apply(profile("web", 2) + "  onViolation: {workload: {action: log}}\n");
  ASSERT_FALSE(milder);
  EXPECT_THAT(milder.error().message, HasSubstr("mend the other files of this node first"));
  EXPECT_EQ(*read_file(places_.profiles() / "web.yaml"), profile("web", 1));
}

TEST_F(StoreTest, AProfileThatCannotBePutInForceIsNotLeftAmongTheFiles) {
  ASSERT_TRUE(apply(profile("web", 1)));
  fs::remove(places_.compiled_index());
  fs::create_directories(places_.compiled_index() / "in-the-way");
  EXPECT_FALSE(apply(profile("web", 2)));
  EXPECT_FALSE(apply(profile("api", 1)));
  EXPECT_EQ(*read_file(places_.profiles() / "web.yaml"), profile("web", 1));
  EXPECT_FALSE(fs::exists(places_.profiles() / "api.yaml"));
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(places_.profiles()))
    files += entry.exists() ? 1 : 0;
  EXPECT_EQ(files, 1U) << "and nothing beside it";
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

node::v1::RecordRule record(const std::string& id, std::int64_t until_wall_ns) {
  node::v1::RecordRule rule;
  rule.set_id(id);
  rule.set_until_wall_ns(until_wall_ns);
  rule.add_selectors()->add_containers("web-*");
  return rule;
}

TEST_F(StoreTest, ARequestForARecordingIsInTheIndexUntilItsTimeAlsoOverRestartsAndChanges) {
  write(places_.profiles() / "web.yaml", profile("web", 1));
  store_->reload();
  ASSERT_TRUE(store_->put_record(record("aa", 100)));
  ASSERT_TRUE(store_->put_record(record("bb", 200)));
  EXPECT_EQ(index().records_size(), 2);
  const std::uint64_t generation = index().generation();
  ASSERT_TRUE(store_->put_record(record("bb", 200)));
  EXPECT_EQ(index().generation(), generation) << "it said so already";
  open();
  store_->reload();
  EXPECT_EQ(index().generation(), generation);
  write(places_.profiles() / "db.yaml", profile("db", 1));
  store_->reload();
  EXPECT_EQ(index().records_size(), 2);
  EXPECT_EQ(index().profiles_size(), 2);
  store_->end_records(150);
  ASSERT_EQ(index().records_size(), 1);
  EXPECT_EQ(index().records(0).id(), "bb");
  ASSERT_TRUE(store_->drop_record("bb"));
  ASSERT_TRUE(store_->drop_record("bb"));
  EXPECT_EQ(index().records_size(), 0);
  EXPECT_THAT(store_->problems(), IsEmpty());
}

TEST_F(StoreTest, RequestsForRecordingsAreBounded) {
  store_->reload();
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(store_->put_record(record(std::to_string(i), 100)));
  const auto more = store_->put_record(record("more", 100));
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Code::kResourceExhausted);
  EXPECT_TRUE(store_->put_record(record("3", 200)));
}

TEST_F(StoreTest, I9_AProfileForRehearsalIsNotEnforced) {
  write(places_.profiles() / "web.yaml", profile("web", 1));
  write(places_.policies() / "10-web.yaml", policy("web", "web"));
  store_->reload();
  std::string rehearsal = profile("web", 2);
  rehearsal.replace(rehearsal.find("  syscalls:"), 0, "  rehearsal: true\n");
  const auto applied = apply(rehearsal);
  ASSERT_FALSE(applied);
  EXPECT_THAT(applied.error().message,
              HasSubstr("10-web.yaml:6:1: mode enforce, and profile 'web'"));
  EXPECT_EQ(store_->find("web")->profile.version, 1U);
  std::string supervised = policy("web", "web");
  supervised.replace(supervised.find("enforce"), 7, "supervise");
  write(places_.policies() / "10-web.yaml", supervised);
  store_->reload();
  const auto rehearsed = apply(rehearsal);
  ASSERT_TRUE(rehearsed) << rehearsed.error().message;
  EXPECT_THAT(rehearsed->warnings, Contains(HasSubstr("learned without a start")));
}

}  // namespace
}  // namespace ward::enforcer
