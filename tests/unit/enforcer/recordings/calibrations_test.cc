// SPDX-License-Identifier: Apache-2.0
// What is kept of the node's runtime, with a measurement that answers what it is told: a binary's
// content is the calls that it is found to make.
#include "enforcer/recordings/calibrations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <atomic>
#include <fstream>
#include <optional>

#include "enforcer/recorder/calibration.h"
#include "enforcer/recordings/describe.h"
#include "lib/base/digest.h"
#include "lib/oci/seccomp.h"
#include "tests/unit/enforcer/run_until.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class CalibrationsTest : public testing::Test {
 protected:
  CalibrationsTest() { open(); }

  // As wardd does when it starts.
  void open() {
    calibrations_.reset();
    writer_.reset();
    writer_.emplace(loop_, database());
    calibrations_.emplace(loop_, *writer_, database(),
                          [this](const auto& runtime, bool, int) { return measure(runtime); });
  }
  // "VERSION CALL CALL ..."; a version "broken" cannot be measured.
  void install(const std::string& content) {
    std::ofstream(runtime()) << content;
    std::filesystem::last_write_time(runtime(), std::filesystem::file_time_type::clock::now());
    const std::string sha256 = sha256_hex(content);
    calibrations_->check(runtime());
    EXPECT_TRUE(test::run_until(loop_, [&] {
      const auto now = calibrations_->in_use();
      return (now && now->sha256 == sha256) || !calibrations_->problems().empty();
    }));
    bool stored = false;
    writer_->drain([&] { stored = true; });
    EXPECT_TRUE(test::run_until(loop_, [&] { return stored; }));
  }
  Result<MeasuredRuntime> measure(const std::filesystem::path& path) {
    ++measured_;
    std::ifstream file(path);
    MeasuredRuntime out;
    file >> out.version;
    if (out.version == "broken") return fail(Code::kInternal, "it loads no filter");
    for (std::string call; file >> call;) out.create.insert(oci::find_syscall(call).value());
    out.exec = {SYS_execve};
    return out;
  }
  [[nodiscard]] v1::Runtime shown() const {
    const auto runtime = calibrations_->in_use();
    return runtime ? describe(*runtime) : v1::Runtime();
  }
  void execute(const std::string& sql) {
    bool done = false;
    writer_->submit([sql](Connection& connection) { return connection.execute(sql); },
                    [&](const Result<void>& result) {
                      EXPECT_TRUE(result) << result.error().message;
                      done = true;
                    });
    EXPECT_TRUE(test::run_until(loop_, [&] { return done; }));
  }
  [[nodiscard]] std::string runtime() const { return directory_.path() / "runc"; }
  std::filesystem::path database() { return directory_.path() / "ward.db"; }

  test::ScratchDirectory directory_;
  asio::io_context loop_;
  std::atomic<std::size_t> measured_ = 0;
  std::optional<Writer> writer_;
  std::optional<Calibrations> calibrations_;
};

TEST_F(CalibrationsTest, WhatWasMeasuredIsThereAsACallsNames) {
  EXPECT_FALSE(calibrations_->in_use()) << "nobody has looked yet";
  install("1.1.5 read readlink");
  EXPECT_EQ(shown().name(), "runc");
  EXPECT_EQ(shown().version(), "1.1.5");
  EXPECT_THAT(shown().calls(), UnorderedElementsAre("read", "readlink", "execve"));
  EXPECT_EQ(shown().since(), "") << "there was none before it";
  EXPECT_THAT(calibrations_->titles().front(), HasSubstr("runc 1.1.5 sha256:"));
}

TEST_F(CalibrationsTest, AnUpgradeShowsWhatTheNewOneCallsAndWhatItNoLongerCalls) {
  install("1.1.5 read readlink");
  install("1.3.6 read openat2 close_range");
  EXPECT_EQ(shown().since(), "runc 1.1.5");
  EXPECT_THAT(shown().gained(), ElementsAre("close_range", "openat2"));
  EXPECT_THAT(shown().lost(), ElementsAre("readlink"));
}

TEST_F(CalibrationsTest, CallsOfTheSchedulerAreNoDifference) {
  install("1.1.5 read futex");
  install("1.1.6 read rt_sigreturn mmap");
  EXPECT_EQ(shown().since(), "runc 1.1.5");
  EXPECT_THAT(shown().gained(), IsEmpty());
  EXPECT_THAT(shown().lost(), IsEmpty());
}

TEST_F(CalibrationsTest, TheDifferenceOutlivesWarddAndABinaryIsMeasuredOnce) {
  install("1.1.5 read readlink");
  install("1.3.6 read openat2");
  EXPECT_EQ(measured_, 4U) << "each with noNewPrivileges and without";
  open();
  EXPECT_FALSE(calibrations_->in_use()) << "what is there now is known when it was looked at";
  install("1.3.6 read openat2");
  EXPECT_EQ(measured_, 4U);
  EXPECT_EQ(shown().version(), "1.3.6");
  EXPECT_EQ(shown().since(), "runc 1.1.5");
  EXPECT_THAT(shown().gained(), ElementsAre("openat2"));
}

TEST_F(CalibrationsTest, ADowngradeIsSinceTheNewerOneAlsoAfterARestart) {
  install("1.1.5 read readlink");
  install("1.3.6 read openat2");
  install("1.1.5 read readlink");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(measured_, 4U);
    EXPECT_EQ(shown().version(), "1.1.5");
    EXPECT_EQ(shown().since(), "runc 1.3.6");
    EXPECT_THAT(shown().gained(), ElementsAre("readlink"));
    EXPECT_THAT(shown().lost(), ElementsAre("openat2"));
    open();
    install("1.1.5 read readlink");
  }
}

TEST_F(CalibrationsTest, OfABinaryThatCannotBeMeasuredNothingIsSaidButWhy) {
  install("1.1.5 read");
  install("broken");
  EXPECT_FALSE(calibrations_->in_use()) << "not what the one before it calls";
  EXPECT_THAT(calibrations_->problems(), ElementsAre(HasSubstr("it loads no filter")));
}

TEST_F(CalibrationsTest, WhatIsDamagedIsMeasuredAgain) {
  install("1.1.5 read");
  execute("UPDATE calibrations SET observation = '{'");
  open();
  install("1.1.5 read");
  EXPECT_EQ(measured_, 4U);
  EXPECT_THAT(shown().calls(), UnorderedElementsAre("read", "execve"));
}

TEST_F(CalibrationsTest, WhatAnOlderWarddMeasuredIsComparedAndItsOwnBinaryMeasuredOnceMore) {
  install("1.1.5 read");
  execute(
      "UPDATE calibrations SET title = 'runc sha256:12 2 calls at start, 1 at exec', observation = "
      "'{\"create\": [0, 89], \"exec\": [59]}'");
  open();
  install("1.3.6 read openat2");
  EXPECT_EQ(shown().since(), "runc") << "it did not say its version";
  EXPECT_THAT(shown().lost(), ElementsAre("readlink"));
  install("1.1.5 read");
  EXPECT_EQ(measured_, 6U);
  EXPECT_EQ(shown().version(), "1.1.5");
  EXPECT_THAT(shown().calls(), UnorderedElementsAre("read", "readlink", "execve"))
      << "both measurements of it";
}

TEST(RuntimeVersion, IsTheWordAfterVersion) {
  EXPECT_EQ(recorder::parse_runtime_version("runc version 1.1.5+ds1\ncommit: 1\n"), "1.1.5+ds1");
  EXPECT_EQ(recorder::parse_runtime_version("crun version 1.8.1"), "1.8.1");
  EXPECT_EQ(recorder::parse_runtime_version("youki 0.3\nspec version 1.0\n"), "");
  EXPECT_EQ(recorder::parse_runtime_version(""), "");
  EXPECT_EQ(recorder::parse_runtime_version("x version " + std::string(500, '9')).size(), 40U);
}

}  // namespace
}  // namespace ward::enforcer
