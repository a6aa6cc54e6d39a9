// SPDX-License-Identifier: Apache-2.0
// A profile store over scratch directories, a journal and the loop that it tells of changes.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>

#include "enforcer/store/profile_store.h"
#include "profiles/filter/index_reader.h"
#include "tests/unit/enforcer/run_until.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {

namespace fs = std::filesystem;

inline std::string profile(const std::string& name, int version,
                           const std::string& calls = "read, openat") {
  return "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: " + name +
         ", version: " + std::to_string(version) +
         "}\nspec:\n  architectures: [x86_64]\n  syscalls:\n    serving: [" + calls + "]\n";
}

inline std::string policy(const std::string& name, const std::string& of_profile) {
  return "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: " + name +
         "}\nspec:\n  rules:\n    - mode: enforce\n      profile: " + of_profile + "\n";
}

// A policy of so many rules, each for one name.
inline std::string rules(const std::string& name, int count) {
  std::string text = "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: " + name +
                     "}\nspec:\n  rules:\n";
  for (int i = 0; i < count; ++i) {
    text += "    - {match: {containers: [" + name + "-" + std::to_string(i) +
            "]}, mode: enforce, profile: web}\n";
  }
  return text;
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

}  // namespace ward::enforcer
