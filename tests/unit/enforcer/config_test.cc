// SPDX-License-Identifier: Apache-2.0
#include "enforcer/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "profiles/yaml/yaml_tree.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {
namespace {

using testing::HasSubstr;

constexpr const char* kHead = "apiVersion: ward.dev/v1alpha1\nkind: NodeConfig\n";

std::string refusal(const std::string& body) {
  const auto parsed = parse_config(kHead + body, "wardd.yaml");
  return parsed ? "accepted" : parsed.error().message;
}

TEST(Config, EveryKeyIsRead) {
  const auto config = parse_config(
      std::string(kHead) +
          "journal: {maxEvents: 1000, maxAge: 24h}\nrecordings: {runsPerWorkload: 8}\n"
          "quarantine: {ttl: 5m}\nevidence: {maxBytes: 65536, maxFiles: 9, full: true, "
          "maxAge: 72h, maxTotalBytes: 5000000000}\n"
          "runtime: {binary: /usr/sbin/runc}\nmetrics: {listen: '127.0.0.1:9464'}\n"
          "sampling: {window: 50ms, every: 5m}\nwhenUngoverned: open\n",
      "wardd.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->journal.max_events, 1000U);
  EXPECT_EQ(config->journal.max_age_ns, 24LL * 3600 * 1'000'000'000);
  EXPECT_EQ(config->runs_per_workload, 8U);
  const auto settings = node_settings(*config);
  EXPECT_EQ(settings.quarantine_ttl_s(), 300);
  EXPECT_EQ(settings.evidence_max_bytes(), 65536U);
  EXPECT_EQ(settings.evidence_max_files(), 9U);
  EXPECT_TRUE(settings.evidence_full());
  EXPECT_TRUE(settings.open_when_ungoverned());
  EXPECT_FALSE(node_settings(Config{}).open_when_ungoverned());
  EXPECT_EQ(settings.runtime_binary(), "/usr/sbin/runc");
  EXPECT_EQ(config->evidence.max_age, std::chrono::hours(72));
  EXPECT_EQ(config->evidence.max_total_bytes, 5'000'000'000U);
  EXPECT_EQ(config->metrics_listen, "127.0.0.1:9464");
  EXPECT_EQ(config->sampling_window, std::chrono::milliseconds(50));
  EXPECT_EQ(config->sampling_every, std::chrono::minutes(5));
}

TEST(Config, EvidenceIsKeptForAWeekAndUpToOneGibibyteWhereNothingElseIsSaid) {
  const auto config = parse_config(kHead, "wardd.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->evidence.max_age, std::chrono::hours(168));
  EXPECT_EQ(config->evidence.max_total_bytes, 1ULL << 30U);
}

TEST(Config, I9_WhatIsWrongIsNamedWithItsPlace) {
  EXPECT_THAT(refusal("whenUngoverned: close\n"), HasSubstr("wardd.yaml:3:17: "));
  EXPECT_THAT(refusal("jurnal: {}\n"), HasSubstr("wardd.yaml:3:1: "));
  EXPECT_THAT(refusal("journal: {maxEvents: lots}\n"), HasSubstr("wardd.yaml:3:22: "));
  EXPECT_THAT(refusal("journal: {maxEvents: 1}\n"), HasSubstr("at least 100"));
  EXPECT_THAT(refusal("runtime: {binary: runc}\n"), HasSubstr("absolute path"));
  EXPECT_THAT(refusal("metrics: {listen: '0.0.0.0:9464'}\n"), HasSubstr("127.0.0.1"));
  EXPECT_THAT(refusal("metrics: {listen: '127.0.0.1:99999'}\n"), HasSubstr("127.0.0.1"));
  EXPECT_THAT(refusal("sampling: {window: 1ms}\n"), HasSubstr("wardd.yaml:3:20: window must be"));
  EXPECT_THAT(refusal("sampling: {every: 1ms}\n"), HasSubstr("at least 1s; 0s: never"));
  EXPECT_THAT(refusal("sampling: {window: 2s, every: 3s}\n"), HasSubstr("at most half of every"));
  EXPECT_EQ(refusal("sampling: {every: 0s}\n"), "accepted") << "never";
  EXPECT_THAT(refusal("quarantine: {ttl: soon}\n"), HasSubstr("wardd.yaml:3:19: "));
  EXPECT_THAT(refusal("evidence: {maxAge: long}\n"), HasSubstr("wardd.yaml:3:20: "));
  EXPECT_THAT(refusal("evidence: {maxAge: 10s}\n"),
              HasSubstr("wardd.yaml:3:20: maxAge must be at least 1m"));
  EXPECT_THAT(refusal("evidence: {maxTotalBytes: 10}\n"),
              HasSubstr("wardd.yaml:3:27: maxTotalBytes must be at least"));
  EXPECT_THAT(refusal("evidence: {maxTotalBites: 10}\n"),
              HasSubstr("did you mean 'maxTotalBytes'"));
  EXPECT_THAT(parse_config("kind: Profile\n", "wardd.yaml").error().message,
              HasSubstr("NodeConfig"));
}

std::string reference_refused(const std::string& binary) {
  const auto config =
      parse_config(std::string(kHead) + "runtime: {binary: " + binary + "}\n", "wardd.yaml");
  EXPECT_TRUE(config);
  const auto refers = check_references(*config, "wardd.yaml");
  return refers ? "accepted" : refers.error().message;
}

TEST(Config, F20_ARuntimeThatIsNotThereOrCannotBeExecutedIsNamedWithItsPlace) {
  EXPECT_EQ(reference_refused("/bin/sh"), "accepted");
  EXPECT_THAT(reference_refused("/no/such"),
              HasSubstr("wardd.yaml:3:19: runtime.binary '/no/such': No such file"));
  EXPECT_THAT(reference_refused("/etc"), HasSubstr("it is no file"));
  EXPECT_THAT(reference_refused("/etc/passwd"), HasSubstr("it cannot be executed"));
  EXPECT_TRUE(check_references(Config{}, "wardd.yaml")) << "runc from PATH";
}

// A script is a runtime as well, where its interpreter is there.
TEST(Config, F20_AScriptWithoutItsInterpreterAndAFileOfAnotherKindAreNoRuntime) {
  const test::ScratchDirectory directory;
  const auto made = [&](const std::string& name, const std::string& text) {
    const std::filesystem::path path = directory.path() / name;
    std::ofstream(path) << text;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path.string();
  };
  EXPECT_EQ(reference_refused(made("wrapper", "#! /bin/sh -e\nexec runc \"$@\"\n")), "accepted");
  EXPECT_THAT(reference_refused(made("orphan", "#!/no/such -x\n")),
              HasSubstr("its interpreter '/no/such': No such"));
  EXPECT_THAT(reference_refused(made("text", "runc\n")),
              HasSubstr("neither a program (ELF) nor a script"));
  EXPECT_THAT(reference_refused(made("empty", "")), HasSubstr("neither a program"));
  std::filesystem::create_symlink("/no/such", directory.path() / "dangling");
  EXPECT_THAT(reference_refused((directory.path() / "dangling").string()),
              HasSubstr("No such file"));
}

struct Value {
  const char* body;
  const char* says;  // with the place; nullptr: it is taken
};

// F20's kind: well formed, and refers to nothing or means nothing. One row for each key, good and
// bad.
TEST(Config, F20_AValueThatRefersToNothingIsRefusedWithItsPlaceWhateverTheKey) {
  const Value values[] = {
      {"journal: {maxEvents: 100}\n", nullptr},
      {"journal: {maxEvents: 0}\n", "w.yaml:3:22: maxEvents must be at least 100"},
      {"journal: {maxAge: 1m}\n", nullptr},
      {"journal: {maxAge: 0s}\n", "w.yaml:3:19: maxAge must be at least 1m"},
      {"recordings: {runsPerWorkload: 1}\n", nullptr},
      {"recordings: {runsPerWorkload: 0}\n", "w.yaml:3:31: runsPerWorkload must be at least 1"},
      {"recordings: {runsPerWorkload: 4294967296}\n", "and at most 4294967295"},
      {"quarantine: {ttl: 0s}\n", nullptr},
      {"quarantine: {ttl: 1s}\n", nullptr},
      {"quarantine: {ttl: 500ms}\n", "w.yaml:3:19: ttl is a whole number of seconds"},
      {"evidence: {maxBytes: 4095}\n", "w.yaml:3:22: maxBytes must be at least 4096"},
      {"evidence: {maxFiles: 0}\n", "w.yaml:3:22: maxFiles must be at least 1"},
      {"evidence: {full: maybe}\n", "w.yaml:3:18: full must be true or false"},
      {"evidence: {maxAge: 59s}\n", "w.yaml:3:20: maxAge must be at least 1m"},
      {"evidence: {maxTotalBytes: 1048575}\n",
       "w.yaml:3:27: maxTotalBytes must be at least 1048576"},
      {"evidence: {maxBytes: 2097152, maxTotalBytes: 1048576}\n",
       "w.yaml:3:22: maxBytes, of one bundle, is more than"},
      {"evidence: {maxBytes: 1048576, maxTotalBytes: 1048576}\n", nullptr},
      {"runtime: {binary: ''}\n", "w.yaml:3:19: binary must be an absolute path"},
      {"runtime: {binary: bin/runc}\n", "w.yaml:3:19: binary must be an absolute path"},
      {"runtime: {binary: /no/such}\n", "w.yaml:3:19: runtime.binary '/no/such': No such file"},
      {"runtime: {binary: /bin/sh}\n", nullptr},
      {"metrics: {listen: '127.0.0.1:0'}\n", "w.yaml:3:19: listen must be 127.0.0.1 and a port"},
      {"metrics: {listen: '10.0.0.1:9464'}\n", "w.yaml:3:19: listen must be 127.0.0.1"},
      {"metrics: {listen: 'localhost:9464'}\n", "w.yaml:3:19: listen must be 127.0.0.1"},
      {"metrics: {listen: '127.0.0.1:9464'}\n", nullptr},
      {"whenUngoverned: nobody\n", "w.yaml:3:17: whenUngoverned cannot be 'nobody'"}};
  for (const Value& value : values) {
    const auto config = parse_config(std::string(kHead) + value.body, "w.yaml");
    const auto refers =
        config ? check_references(*config, "w.yaml") : tl::unexpected<Error>(config.error());
    const std::string said = refers ? "" : refers.error().message;
    if (value.says == nullptr) {
      EXPECT_EQ(said, "") << value.body;
    } else {
      EXPECT_THAT(said, HasSubstr(value.says)) << value.body;
    }
  }
}

TEST(Config, MetadataWithLabelsAndAnnotationsIsAllowedAsInEveryKind) {
  EXPECT_EQ(refusal("metadata: {name: node, labels: {team: a}, annotations: {note: 'b: c'}}\n"),
            "accepted");
  EXPECT_THAT(refusal("metadata: {labels: [a]}\n"),
              HasSubstr("wardd.yaml:3:20: metadata.labels must be a map"));
}

TEST(Config, EachThingThatIsWrongIsALineOfItsOwn) {
  const auto refused = parse_config(
      std::string(kHead) + "jurnal: {}\njournal: {maxEvents: lots}\nruntime: {binary: runc}\n",
      "w.yaml");
  ASSERT_FALSE(refused);
  const auto lines = problem_lines(refused.error());
  EXPECT_EQ(lines.size(), 3U) << refused.error().message;
  EXPECT_THAT(lines, testing::Each(testing::AllOf(testing::StartsWith("w.yaml:"),
                                                  testing::Not(HasSubstr("\n")))));
}

TEST(Config, I9_HostileTextIsRefusedWithItsPlace) {
  for (const std::string& text :
       {std::string(" \n"), std::string("kind: \xff\n"), std::string("a\0b", 3),
        std::string("kind: &x a\n"), std::string("kind: *x\n"), std::string("kind: !!str a\n"),
        std::string("kind: a\nkind: a\n"), std::string("kind: a\n---\nkind: b\n"),
        std::string(60'000, '['), "# " + std::string(profiles::kMaxYamlBytes, 'x') + "\n",
        std::string("- a\n"), std::string("unknown: 1\n"), std::string("kind: [1\n")}) {
    EXPECT_THAT(parse_config(text, "wardd.yaml").error().message,
                testing::ContainsRegex("^wardd\\.yaml:[0-9]+:[0-9]+: "))
        << text.substr(0, 40);
  }
}

}  // namespace
}  // namespace ward::enforcer
