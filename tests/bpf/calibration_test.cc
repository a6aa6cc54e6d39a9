// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recorder/calibration.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "enforcer/recorder/calibration_program.h"
#include "enforcer/recorder/calibration_remains.h"
#include "enforcer/recorder/recorder.h"
#include "lib/base/file.h"
#include "lib/linux/child_process.h"
#include "lib/oci/seccomp.h"

namespace ward::recorder {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class CalibrationTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string directory = testing::TempDir() + "ward-cal-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    directory_ = directory;
    const auto runtime = find_program("runc");
    if (!runtime) GTEST_SKIP() << "runc is not installed";
    if (const auto recorder = Recorder::open({}); !recorder->available())
      GTEST_SKIP() << recorder->status();
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    runtime_ = *runtime;
  }
  void TearDown() override {
    EXPECT_TRUE(std::filesystem::is_empty(directory_)) << "something was left in " << directory_;
    std::filesystem::remove_all(directory_);
  }

  static std::string names(const std::set<int>& numbers) {
    std::string text;
    for (const int nr : numbers)
      text += oci::find_syscall_name(nr).value_or(std::to_string(nr)) + " ";
    return text;
  }

  std::filesystem::path directory_, runtime_;
};

TEST_F(CalibrationTest, MeasuresWhatRuncCallsUnderTheFilter) {
  const auto strict = calibrate({runtime_, directory_, true});
  ASSERT_TRUE(strict) << strict.error().message;
  const auto loose = calibrate({runtime_, directory_, false});
  ASSERT_TRUE(loose) << loose.error().message;
  for (const auto* layer : {&*strict, &*loose}) {
    EXPECT_THAT(layer->create, Contains(SYS_execve));
    EXPECT_THAT(layer->exec, Contains(SYS_execve));
    EXPECT_THAT(layer->create, Not(Contains(SYS_pause))) << "the program's own call";
    EXPECT_THAT(layer->exec, Not(Contains(SYS_exit))) << "the program's own call";
  }
  EXPECT_THAT(loose->create, Contains(SYS_capset))
      << "without no_new_privileges the filter is loaded before capset";
  EXPECT_THAT(strict->create, Not(Contains(SYS_capset)));
  RecordProperty("strict_create", names(strict->create));
  RecordProperty("strict_exec", names(strict->exec));
  RecordProperty("loose_create", names(loose->create));
  RecordProperty("loose_exec", names(loose->exec));
}

TEST_F(CalibrationTest, TheProgramSaysOneByteAndEndsWithTheReaderOfItsPipe) {
  const auto program = directory_ / "program";
  ASSERT_TRUE(write_file_atomically(program, waiting_program(), 0755));
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], 1);
    ::execl(program.c_str(), program.c_str(), nullptr);
    ::_exit(1);
  }
  ::close(ends[1]);
  char byte = 0;
  EXPECT_EQ(::read(ends[0], &byte, 1), 1);
  ::kill(child, SIGCONT);  // interrupts its wait, and changes nothing
  pollfd more{ends[0], POLLIN, 0};
  EXPECT_EQ(::poll(&more, 1, 50), 0) << "it neither speaks nor ends while somebody listens";
  ::close(ends[0]);
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  std::filesystem::remove(program);
}

TEST_F(CalibrationTest, WhatAnAbandonedOneLeftIsFoundByNameAlone) {
  const std::string id = calibration_prefix(directory_) + "0badcafe";
  std::filesystem::create_directories(directory_ / id / "runtime" / id);
  std::filesystem::create_directory(directory_ / "ward-calibration-of-another");
  const auto cleared = clear_abandoned_calibrations(directory_);
  EXPECT_THAT(cleared.removed, testing::ElementsAre(id));
  EXPECT_THAT(cleared.problems, testing::IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(directory_ / id));
  EXPECT_TRUE(std::filesystem::remove(directory_ / "ward-calibration-of-another"));
  EXPECT_THAT(clear_abandoned_calibrations(directory_).removed, testing::IsEmpty());
}

TEST_F(CalibrationTest, ARuntimeThatHangsIsLeftWhenToldToStop) {
  const auto script = directory_ / "hangs";
  ASSERT_TRUE(write_file_atomically(
      script, "#!/bin/sh\ncase \"$*\" in *delete*) exit 0;; esac\nexec tail -f /dev/null\n", 0755));
  int stop[2];
  ASSERT_EQ(::pipe2(stop, O_CLOEXEC), 0);
  ASSERT_EQ(::write(stop[1], "x", 1), 1);
  const auto layer = calibrate({script, directory_, true, stop[0]});
  std::filesystem::remove(script);
  ::close(stop[0]);
  ::close(stop[1]);
  ASSERT_FALSE(layer);
  EXPECT_EQ(layer.error().code, Code::kCanceled);
}

TEST_F(CalibrationTest, ARuntimeThatFailsIsAnErrorThatQuotesIt) {
  const auto script = directory_ / "broken";
  ASSERT_TRUE(
      write_file_atomically(script, "#!/bin/sh\necho 'no \033[31mluck' >&2\nexit 3\n", 0755));
  const auto layer = calibrate({script, directory_, true});
  std::filesystem::remove(script);
  ASSERT_FALSE(layer);
  EXPECT_THAT(layer.error().message, HasSubstr("no \\x1b[31mluck"));
}

TEST_F(CalibrationTest, ARuntimeThatIsMissingIsAnError) {
  EXPECT_FALSE(calibrate({directory_ / "missing", directory_, true}));
}

}  // namespace
}  // namespace ward::recorder
