// SPDX-License-Identifier: Apache-2.0
#include "lib/base/fault.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "lib/base/digest.h"
#include "lib/base/file.h"

namespace ward::fault {
namespace {

class Faults : public testing::Test {
 protected:
  void SetUp() override {
    if (!kEnabled) GTEST_SKIP() << "this build has no fault points (WARD_FAULTS)";
  }
  void TearDown() override {
    ::unsetenv("WARD_FAULTS");
    std::filesystem::remove(rules_);
    std::filesystem::remove(fired());
  }
  static void arm(const std::string& rules) { ::setenv("WARD_FAULTS", rules.c_str(), 1); }
  static int error_at(const std::string& name) {
    const auto result = point(name);
    return result ? 0 : result.error().sys_errno;
  }
  [[nodiscard]] std::string fired() const { return rules_.string() + ".fired"; }
  // How a process ends that meets the point and then waits: its wait status.
  static int end_at(const std::string& name) {
    const pid_t child = ::fork();
    if (child == 0) {
      (void)point(name);
      for (;;) ::pause();
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return status;
  }

  std::filesystem::path rules_ =
      std::filesystem::temp_directory_path() / ("ward-faults-" + random_hex(6));
};

TEST_F(Faults, WithoutAVariableOrARuleForItAPointIsNothing) {
  EXPECT_EQ(error_at("a"), 0);
  for (const char* rules : {"", "b=error(EIO)", "ab=error(EIO)", "a", "a.b=error(EIO)",
                            ";;=", "a=", "a=unheard-of(3)"}) {
    arm(rules);
    EXPECT_EQ(error_at("a"), 0) << rules;
  }
}

TEST_F(Faults, AnErrorIsNamedOrANumberAndSaysWhere) {
  arm("a=error(ENOSPC);b=error(EMFILE)\nc=error(13);d=error(nonsense);e=error");
  EXPECT_EQ(error_at("a"), ENOSPC);
  EXPECT_EQ(error_at("b"), EMFILE);
  EXPECT_EQ(error_at("c"), EACCES);
  EXPECT_EQ(error_at("d"), EIO);
  EXPECT_EQ(error_at("e"), EIO);
  EXPECT_EQ(point("a").error().message, "fault at a: No space left on device");
}

TEST_F(Faults, ANameIsMadeOfAVerbAndItsMoment) {
  arm("create.before-runtime=error(EBUSY)");
  EXPECT_FALSE(point(std::string("create"), ".before-runtime"));
  EXPECT_TRUE(point(std::string("create"), ".after-runtime"));
}

TEST_F(Faults, ACountedRuleIsForTheFirstTimesOnly) {
  arm("counted=error(ENOMEM)*2");
  EXPECT_EQ(error_at("counted"), ENOMEM);
  EXPECT_EQ(error_at("counted"), ENOMEM);
  EXPECT_EQ(error_at("counted"), 0);
}

TEST_F(Faults, ADelayHoldsTheProcessUpAndIsNoFailure) {
  arm("a=delay(50)");
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(error_at("a"), 0);
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(50));
}

TEST_F(Faults, AKillIsAtOnceOrSoManyMillisecondsLater) {
  arm("now=kill;soon=kill(5)");
  const int now = end_at("now"), soon = end_at("soon");
  EXPECT_TRUE(WIFSIGNALED(now) && WTERMSIG(now) == SIGKILL) << now;
  EXPECT_TRUE(WIFSIGNALED(soon) && WTERMSIG(soon) == SIGALRM) << soon;
}

TEST_F(Faults, AFileIsReadAtEachPointAndLearnsWhichWereMet) {
  arm("@" + rules_.string());
  EXPECT_EQ(error_at("a"), 0) << "there is no file yet";
  std::ofstream(rules_) << "a=error(EIO)\n";
  EXPECT_EQ(error_at("a"), EIO);
  EXPECT_EQ(error_at("b"), 0);
  std::ofstream(rules_) << "b=error(EBUSY)\n";
  EXPECT_EQ(error_at("a"), 0);
  EXPECT_EQ(error_at("b"), EBUSY);
  EXPECT_EQ(read_file(fired()).value_or("none"), "a\nb\n");
}

}  // namespace
}  // namespace ward::fault
