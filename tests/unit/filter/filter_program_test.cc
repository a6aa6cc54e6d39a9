// SPDX-License-Identifier: Apache-2.0
// The evaluator of programs against the kernel that runs them, and against itself: what is unfolded
// is what is run.
#include "profiles/filter/filter_program.h"

#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "profiles/filter/runtime_filter.h"
#include "tests/support/random_filters.h"

namespace ward::filter {
namespace {

constexpr int kFilters = 60;
constexpr int kQuestions = 200;
constexpr auto kCall = SYS_getppid;  // takes no arguments, and any

// A filter of one call, which lets everything else run and kills nobody.
oci::Seccomp harmless(testing::RandomFilters& random) {
  oci::Seccomp seccomp = random.filter({"getppid"});
  seccomp.default_action = oci::SeccompAction::kAllow;
  for (std::size_t i = 0; i < seccomp.rules.size(); ++i) {
    oci::SeccompRule& rule = seccomp.rules[i];
    std::erase(rule.names, "");
    rule.action = oci::SeccompAction::kErrno;
    rule.errno_ret = static_cast<std::uint32_t>(i + 1);
    // libseccomp does not come back from some that compare by order.
    std::erase_if(rule.args, [](const oci::SeccompArg& c) {
      return c.op != oci::CompareOp::kEq && c.op != oci::CompareOp::kMaskedEq;
    });
  }
  return seccomp;
}

// In a child under the program: how many answers of the kernel differ from ours, 0 to 255.
int differences(const FilterProgram& program, const std::vector<CallArgs>& questions) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto instructions = program.instructions();
    const sock_fprog loaded{static_cast<unsigned short>(instructions.size()), instructions.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &loaded) != 0) {
      ::_exit(255);
    }
    int differ = 0;
    for (const CallArgs& a : questions) {
      const long returned = ::syscall(kCall, a[0], a[1], a[2], a[3], a[4], a[5]);
      const int error = returned < 0 ? errno : 0;
      const Answer ours = program.answer(oci::native_audit_arch(), kCall, a);
      if (ours.executes() ? returned < 0 : error != ours.error_number()) ++differ;
    }
    ::_exit(std::min(differ, 254));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

TEST(FilterProgram, I12_AnswersAsTheKernelDoes) {
  int compared = 0;
  for (int seed = 0; seed < kFilters; ++seed) {
    testing::RandomFilters random(static_cast<std::uint64_t>(seed));
    const auto program = make_runtime_filter(harmless(random), {});
    if (!program) continue;
    ++compared;
    std::vector<CallArgs> questions(kQuestions);
    std::generate(questions.begin(), questions.end(), [&] { return random.arguments(); });
    EXPECT_EQ(differences(*program, questions), 0) << "seed " << seed;
  }
  EXPECT_GT(compared, kFilters / 2);
}

TEST(FilterProgram, I12_ThePathsOfACallAreWhatItsProgramAnswers) {
  for (int seed = 0; seed < kFilters; ++seed) {
    testing::RandomFilters random(static_cast<std::uint64_t>(seed) + 1000);
    const auto program = make_runtime_filter(harmless(random), {});
    if (!program) continue;
    WorkBudget budget(1'000'000);
    const auto paths = program->paths(oci::native_audit_arch(), kCall, budget);
    ASSERT_TRUE(paths);
    for (int i = 0; i < kQuestions; ++i) {
      const CallArgs args = random.arguments();
      int hold = 0;
      for (const FilterProgram::Path& path : *paths) {
        if (!std::all_of(path.conditions.begin(), path.conditions.end(),
                         [&](const oci::SeccompArg& c) { return holds(c, args.at(c.index)); })) {
          continue;
        }
        ++hold;
        EXPECT_EQ(path.answer, program->answer(oci::native_audit_arch(), kCall, args))
            << "seed " << seed;
      }
      EXPECT_EQ(hold, 1) << "seed " << seed;
    }
  }
}

TEST(FilterProgram, TakesOnlyWhatAKernelLoads) {
  const sock_filter done = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  EXPECT_TRUE(FilterProgram::check({done}));
  EXPECT_FALSE(FilterProgram::check({}));
  EXPECT_FALSE(FilterProgram::check(std::vector<sock_filter>(BPF_MAXINSNS + 1, done)));
  for (const sock_filter& bad : std::vector<sock_filter>{
           BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sizeof(seccomp_data)),
           BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), BPF_STMT(BPF_JMP | BPF_JA, 1),
           BPF_STMT(BPF_JMP | BPF_JA, 0xFFFFFFFF), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
           BPF_STMT(BPF_LD | BPF_MEM, 0), BPF_STMT(BPF_RET | BPF_A, 0)}) {
    EXPECT_FALSE(FilterProgram::check({bad, done})) << bad.code << " " << bad.k;
  }
  EXPECT_FALSE(FilterProgram::check({done, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)})) << "no end";
}

TEST(FilterProgram, H03_PathsCostNoMoreThanTheirBudget) {
  oci::Seccomp seccomp;
  seccomp.default_action = oci::SeccompAction::kErrno;
  for (std::uint64_t i = 0; i < 900; ++i) {
    seccomp.rules.push_back(
        {{"ioctl"}, oci::SeccompAction::kAllow, {}, {{1, i * 7, 0, oci::CompareOp::kEq}}});
  }
  const auto program = make_runtime_filter(seccomp, {});
  ASSERT_TRUE(program);
  WorkBudget budget(10'000);
  EXPECT_FALSE(program->paths(oci::native_audit_arch(), SYS_ioctl, budget));
}

}  // namespace
}  // namespace ward::filter
