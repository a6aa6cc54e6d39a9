// SPDX-License-Identifier: Apache-2.0
#include "cli/applied/applied.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <fstream>

#include "cli/applied/spec_filter.h"
#include "lib/oci/bundle.h"
#include "profiles/filter/runtime_filter.h"
#include "tests/support/json_page.h"

namespace ward::cli {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

oci::Seccomp filter_with(std::vector<oci::SeccompRule> rules) {
  oci::Seccomp seccomp;
  seccomp.default_action = oci::SeccompAction::kErrno;
  seccomp.architectures = {oci::native_scmp_arch()};
  seccomp.rules = std::move(rules);
  return seccomp;
}

SeccompProgram program_of(const oci::Seccomp& seccomp) {
  return filter::make_runtime_filter(seccomp, {}).value().instructions();
}

oci::Seccomp sample() {
  return filter_with(
      {{{"read", "write", "close"}, oci::SeccompAction::kAllow, {}, {}},
       {{"mount"}, oci::SeccompAction::kNotify, {}, {}},
       {{"ptrace"}, oci::SeccompAction::kKillProcess, {}, {}},
       {{"socket"}, oci::SeccompAction::kAllow, {}, {{0, 1, 0, oci::CompareOp::kEq}}}});
}

TEST(FilterSummary, CountsCallsByTheAnswerTheyGet) {
  const auto found = summarize(program_of(sample()));
  EXPECT_EQ(found.not_understood, "");
  EXPECT_EQ(found.calls.allow, 3U);
  EXPECT_EQ(found.calls.notify, 1U);
  EXPECT_EQ(found.calls.kill, 1U);
  EXPECT_EQ(found.calls.by_arguments, 1U);
  EXPECT_GT(found.calls.refuse, 300U);
  EXPECT_EQ(found.sha256.size(), 64U);
}

TEST(FilterSummary, WhatIsNoProgramOfLibseccompIsNotCounted) {
  const SeccompProgram loads_a_byte = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
                                       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const auto found = summarize(loads_a_byte);
  EXPECT_THAT(found.not_understood, HasSubstr("instruction 0"));
  EXPECT_EQ(compare(loads_a_byte, program_of(sample())).agreement, Agreement::kNotCompared);
  EXPECT_EQ(compare(loads_a_byte, loads_a_byte).agreement, Agreement::kIdentical);
}

TEST(FilterComparison, AProgramThatIsWrittenOtherwiseAndAnswersTheSameAgrees) {
  auto longer = program_of(sample());
  longer.insert(longer.begin(), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  EXPECT_EQ(compare(longer, program_of(sample())).agreement, Agreement::kSameAnswers);
}

TEST(FilterComparison, ACallOrOneValueOfAnArgumentThatDiffersIsNamed) {
  auto other = sample();
  other.rules[0].names.emplace_back("open");
  other.rules[3].args[0].value = 2;
  const auto found = compare(program_of(other), program_of(sample()));
  EXPECT_EQ(found.agreement, Agreement::kDifferent);
  EXPECT_THAT(found.differ, ElementsAre("open", "socket"));
}

Applied judged(const std::vector<SeccompProgram>& loaded,
               const std::vector<SeccompProgram>& programs) {
  Applied applied;
  applied.container.set_containerd_namespace("default");
  applied.container.set_id("web-1");
  applied.container.set_mode("enforce");
  applied.from_kernel = true;
  applied.spec_found = true;
  applied.spec_has_filter = !programs.empty();
  applied.spec_file = "/run/x/config.json";
  judge(applied, loaded, programs);
  return applied;
}

// One value of many arguments together, which a sample hardly meets.
TEST(FilterComparison, AConjunctionOverThreeArgumentsIsNotMissed) {
  oci::SeccompRule wide{{"ioctl"}, oci::SeccompAction::kAllow, {}, {}};
  auto common = filter_with({});
  for (std::uint64_t i = 0; i < 12; ++i) {
    wide.args = {{0, 1000 + i * 10, 0, oci::CompareOp::kEq},
                 {1, 2000 + i * 10, 0, oci::CompareOp::kEq},
                 {2, 3000 + i * 10, 0, oci::CompareOp::kEq}};
    common.rules.push_back(wide);
  }
  auto more = common;
  wide.args = {{0, 77, 0, oci::CompareOp::kEq},
               {1, 88, 0, oci::CompareOp::kEq},
               {2, 99, 0, oci::CompareOp::kEq}};
  more.rules.push_back(wide);
  EXPECT_THAT(compare(program_of(common), program_of(more)).differ, ElementsAre("ioctl"));
  EXPECT_THAT(compare(program_of(more), program_of(common)).differ, ElementsAre("ioctl"));
  auto longer = program_of(common);
  longer.insert(longer.begin(), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  const auto same = judged({longer}, {program_of(common)});
  EXPECT_EQ(same.agreement, Agreement::kSameAnswers);
  EXPECT_THAT(same.said, HasSubstr("a sample of the arguments of ioctl"));
}

// 20 bits of an argument of read, each tested for itself: more paths than anybody follows.
SeccompProgram program_with_many_paths(std::uint32_t last) {
  SeccompProgram program = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 1, 0),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  for (std::uint32_t bit = 0; bit < 20; ++bit) {
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)));
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1U << bit, 0, 0));
  }
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x12345, 0, 1));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, last));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO));
  return program;
}

TEST(FilterComparison, WhatHasTooManyPathsIsNotCompared) {
  const auto one = program_with_many_paths(SECCOMP_RET_ALLOW);
  const auto other = program_with_many_paths(SECCOMP_RET_KILL_PROCESS);
  const auto found = compare(one, other);
  EXPECT_EQ(found.agreement, Agreement::kNotCompared);
  EXPECT_THAT(found.not_compared, ElementsAre("read"));
  EXPECT_THAT(judged({one}, {other}).said, HasSubstr("cannot be compared"));
}

TEST(FilterComparison, ForeignCallsAndNumbersBeyondAreAskedToo) {
  const SeccompProgram all = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const SeccompProgram no_foreign = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, oci::native_audit_arch(), 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  EXPECT_THAT(compare(all, no_foreign).differ, Contains("i386 5"));
}

TEST(Applied, OneLayerThatIsTheSpecsIsEnough) {
  const auto own = program_of(filter_with({{{"read"}, oci::SeccompAction::kAllow, {}, {}}}));
  const auto applied = judged({program_of(sample()), own}, {program_of(sample())});
  EXPECT_EQ(applied.agreement, Agreement::kIdentical);
  EXPECT_THAT(applied.said, HasSubstr("they agree"));
  EXPECT_THAT(applied_text(applied, Style{-1}),
              AllOf(HasSubstr("2 filters"), HasSubstr("filter 1"), HasSubstr("they agree")));
}

TEST(Applied, AProcessWithoutTheSpecsFilterDiffers) {
  EXPECT_EQ(judged({}, {program_of(sample())}).agreement, Agreement::kDifferent);
  EXPECT_EQ(judged({}, {}).agreement, Agreement::kIdentical);
  const SeccompProgram all = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const auto applied = judged({all}, {program_of(sample())});
  EXPECT_EQ(applied.agreement, Agreement::kDifferent);
  EXPECT_THAT(applied_text(applied, Style{-1}), AllOf(HasSubstr("they differ"), HasSubstr("more")));
}

TEST(Applied, FiltersThatWereNotReadAreSaid) {
  auto applied = judged({}, {});
  applied.more_filters = true;
  judge(applied, {program_of(sample())}, {program_of(sample())});
  EXPECT_THAT(applied.said, HasSubstr("not all filters"));
  EXPECT_THAT(applied_text(applied, Style{-1}), HasSubstr("more than these are in force"));
}

TEST(Applied, ItsJsonIsTheOneThatIsDocumented) {
  EXPECT_EQ(ward::test::JsonPage().why_not(to_json(judged({program_of(sample())}, {}))), "");
  EXPECT_EQ(ward::test::JsonPage().why_not(
                to_json(judged({program_of(sample())}, {program_of(sample())}))),
            "");
}

TEST(Applied, NamesOfOthersAreEscaped) {
  auto applied = judged({}, {});
  applied.container.set_id("\x1b[2J");
  applied.container.set_mode("\n");
  applied.spec_file = "/\x1b[2J";
  applied.why_not_kernel = "\x1b";
  applied.from_kernel = false;
  for (const char c : applied_text(applied, Style{-1}))
    EXPECT_TRUE(c == '\n' || (c >= ' ' && c < 0x7f)) << static_cast<int>(c);
}

// Of a /proc and containerd's directories that are files of the test.
class SpecFilterTest : public testing::Test {
 protected:
  SpecFilterTest() {
    fs::remove_all(root_);
    fs::create_directories(root_ / "proc/7/fd");
    fs::create_directories(root_ / "bundles/default/web-1");
    fs::create_symlink(root_ / "bundles/default/first/log", root_ / "proc/7/fd/2");
  }
  ~SpecFilterTest() override { fs::remove_all(root_); }
  fs::path root_ = fs::temp_directory_path() / ("ward-spec-" + std::to_string(::getpid()));
};

TEST_F(SpecFilterTest, TheBundleIsBesideThatOfTheShimsFirstContainer) {
  const auto found = find_bundle(7, "default", "web-1", root_ / "proc");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, root_ / "bundles/default/web-1");
  EXPECT_FALSE(find_bundle(7, "other", "web-1", root_ / "proc"));
  EXPECT_FALSE(find_bundle(7, "default", "../web-1", root_ / "proc"));
  EXPECT_FALSE(find_bundle(8, "default", "web-1", root_ / "proc"));
}

TEST_F(SpecFilterTest, ItsFilterIsWhatARuntimeLoads) {
  const fs::path bundle = root_ / "bundles/default/web-1";
  std::ofstream(bundle / "config.json")
      << R"({"ociVersion":"1.0.2","linux":{"seccomp":)" + oci::seccomp_to_json(sample()) + "}}";
  const auto read = read_spec_filter(bundle);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->has_filter);
  ASSERT_FALSE(read->programs.empty());
  EXPECT_EQ(compare(read->programs.front(), program_of(sample())).agreement, Agreement::kIdentical);
  std::ofstream(bundle / "config.json") << R"({"ociVersion":"1.0.2","linux":{}})";
  EXPECT_FALSE(read_spec_filter(bundle)->has_filter);
  std::ofstream(bundle / "config.json") << "{";
  EXPECT_FALSE(read_spec_filter(bundle));
}

}  // namespace
}  // namespace ward::cli
