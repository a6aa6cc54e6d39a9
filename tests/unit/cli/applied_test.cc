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

TEST(FilterComparison, ForeignCallsAndNumbersBeyondAreAskedToo) {
  const SeccompProgram all = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const SeccompProgram no_foreign = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, oci::native_audit_arch(), 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  EXPECT_THAT(compare(all, no_foreign).differ, Contains("i386 5"));
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
