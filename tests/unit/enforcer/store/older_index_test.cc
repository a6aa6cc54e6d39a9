// SPDX-License-Identifier: Apache-2.0
// An index of an older version, which its shims read as long as their pods live.
#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "profiles/filter/governed.h"
#include "tests/unit/enforcer/store/store_test_base.h"

namespace ward::enforcer {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

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

}  // namespace
}  // namespace ward::enforcer
