// SPDX-License-Identifier: Apache-2.0
// All parts of one node together, as far as no loop has to run: what a start makes of its files.
#include "enforcer/node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "lib/base/clock.h"
#include "profiles/filter/governed.h"
#include "profiles/filter/index_reader.h"
#include "profiles/filter/watch_pins.h"
#include "profiles/yaml/yaml_tree.h"
#include "tests/unit/enforcer/run_until.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class NodeTest : public testing::Test {
 protected:
  // A node that governs and is not stopped in order leaves what it watches with, so that nothing is
  // missed until the next wardd.
  ~NodeTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(filter::watch_pins(places_), ignored);
  }
  NodeTest() {
    for (const auto& path :
         {places_.profiles(), places_.policies(), places_.compiled(), places_.run}) {
      fs::create_directories(path);
    }
    write(places_.policies() / "all.yaml",
          "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: all}\nspec:\n  rules:\n"
          "    - {mode: learn}\n");
  }

  static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  [[nodiscard]] fs::path settings_file() const { return places_.config / "wardd.yaml"; }
  void write_settings() const {
    write(settings_file(),
          "apiVersion: ward.dev/v1alpha1\nkind: NodeConfig\nwhenUngoverned: open\n"
          "runtime: {binary: /usr/sbin/runc}\nquarantine: {ttl: 7m}\n");
  }
  [[nodiscard]] node::v1::NodeSettings settings_in_force() const {
    const auto index = filter::IndexReader::open(places_.compiled_index());
    EXPECT_TRUE(index) << index.error().message;
    return index ? index->settings() : node::v1::NodeSettings();
  }
  [[nodiscard]] NodeClaim claim() const { return NodeClaim::take(places_).value(); }
  [[nodiscard]] std::vector<std::string> start() {
    Node node(loop_, places_, claim(), nullptr);
    node.read_configuration();
    return node.problems();
  }

  test::ScratchDirectory directory_;
  const Places places_{directory_.path() / "etc", directory_.path() / "state",
                       directory_.path() / "run"};
  asio::io_context loop_;
};

TEST_F(NodeTest, I9_N04_D10_WhateverKeepsWarddYamlFromBeingReadAtStartTheSettingsInForceStay) {
  const std::vector<std::pair<const char*, std::function<void()>>> cases = {
      {"bad", [&] { write(settings_file(), "kind: ["); }},
      {"a directory", [&] { fs::create_directory(settings_file()); }},
      {"too large", [&] { write(settings_file(), std::string(profiles::kMaxYamlBytes + 2, '#')); }},
      {"a link to itself", [&] { fs::create_symlink("wardd.yaml", settings_file()); }},
      {"a link that leads nowhere", [&] { fs::create_symlink("nowhere", settings_file()); }},
      {"a link through a file",
       [&] { fs::create_symlink("policies/all.yaml/x", settings_file()); }},
      {"bad, with all of the configuration gone before", [&] {
         fs::rename(places_.config, directory_.path() / "aside");
         Node node(loop_, places_, claim(), nullptr);
         node.read_configuration();
         fs::rename(directory_.path() / "aside", places_.config);
         write(settings_file(), "kind: [");
         node.read_configuration();
         EXPECT_EQ(settings_in_force().runtime_binary(), "/usr/sbin/runc");
       }}};
  write_settings();
  (void)start();
  const std::string before = settings_in_force().SerializeAsString();
  ASSERT_EQ(settings_in_force().runtime_binary(), "/usr/sbin/runc");
  for (const auto& [what, spoil] : cases) {
    fs::remove_all(settings_file());
    spoil();
    for (const char* when : {"at the first start", "and at the second"}) {
      EXPECT_THAT(start(), Contains(HasSubstr("wardd.yaml:1:"))) << what;
      EXPECT_EQ(settings_in_force().SerializeAsString(), before) << what << " " << when;
    }
    fs::remove_all(settings_file());
    write_settings();
    EXPECT_THAT(start(), Not(Contains(HasSubstr("wardd.yaml")))) << what;
  }
  fs::remove(settings_file());
  (void)start();
  EXPECT_EQ(settings_in_force().runtime_binary(), "")
      << "a file that is not there says: the defaults";
}

TEST_F(NodeTest, I9_N02_D10_WithTheIndexGoneTooTheMarkSaysWhichRuntimeTheNodeChose) {
  write_settings();
  (void)start();
  for (const fs::path& lost : {places_.compiled(), places_.state, places_.run}) {
    fs::remove_all(lost);
    fs::remove_all(places_.compiled());
    fs::remove_all(settings_file());
    write(settings_file(), "kind: [");
    fs::create_directories(places_.compiled());
    fs::create_directories(places_.run);
    EXPECT_THAT(start(), Contains(HasSubstr("wardd.yaml:1:"))) << lost;
    EXPECT_EQ(settings_in_force().runtime_binary(), "/usr/sbin/runc") << lost;
    EXPECT_TRUE(settings_in_force().open_when_ungoverned()) << lost;
  }
}

// Events that go in the first minute would be those of containers in quarantine, of which no shim
// has told yet.
TEST_F(NodeTest, I4_TheFirstMinuteIsNotOverBecauseSomebodySetsTheClock) {
  constexpr std::int64_t kHour_ns = 3600LL * 1'000'000'000;
  const Moment now;
  struct Case {
    const char* what;
    Moment started;
    bool over;
  };
  for (const auto& [what, started, over] :
       {Case{"set forward", {now.wall_ns - kHour_ns, now.monotonic_ns}, false},
        Case{"set back", {now.wall_ns + kHour_ns, now.monotonic_ns - kHour_ns}, true},
        Case{"left alone", now, false}}) {
    fs::remove_all(places_.state);
    fs::create_directories(places_.compiled());
    Node node(loop_, places_, claim(), nullptr, started);
    const auto settle = [&, &loop = loop_] {
      bool settled = false;
      node.writer.drain([&] { settled = true; });
      EXPECT_TRUE(test::run_until(loop, [&] { return settled; }));
    };
    node.journal.set_limits({.max_events = 1});
    for (int i = 0; i < 10; ++i) node.journal.note({EventKind::kReleased, {}});
    settle();
    node.journal.expire();
    settle();
    EXPECT_EQ(node.journal.counts().expired > 0, over) << what;
  }
}

}  // namespace
}  // namespace ward::enforcer
