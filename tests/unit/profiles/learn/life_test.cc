// SPDX-License-Identifier: Apache-2.0
#include "profiles/learn/life.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <csignal>

#include "profiles/learn/coverage.h"
#include "profiles/learn/generate.h"
#include "profiles/learn/unlearnable.h"

namespace ward::profiles {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::int64_t kSecond_ns = 1'000'000'000;

SeenSignal sent(int number, std::int64_t at_ns, Sender from = Sender::kOutside) {
  return {number, Receiver::kFirst, from, 1, 0, at_ns};
}

// Ends after a minute.
Run lived(std::vector<SeenSignal> signals, int wait_status = 0) {
  Run run;
  run.id = "a";
  run.syscalls.push_back({SYS_read, Origin::kWorkload, 10, 0, 100, {}});
  run.ended_wall_ns = 1;
  run.life = Life{std::move(signals),
                  false,
                  0,
                  {SIGHUP, SIGQUIT, SIGTERM},
                  ProcessEnd{wait_status, 60 * kSecond_ns}};
  return run;
}

std::string stop_text(const Run& run) {
  const auto stop = stop_of(run);
  return stop ? describe(*stop) : "not known";
}

std::vector<std::string> names(const std::vector<LifeEvent>& events) {
  std::vector<std::string> all;
  for (const LifeEvent& event : events) all.push_back(event.what);
  return all;
}

TEST(Life, F24_AStopIsByTheLastSignalThatWasSentOrByTheDefaultActionOfOne) {
  EXPECT_EQ(stop_text(lived({})), "by itself");
  EXPECT_EQ(stop_text(lived({sent(SIGQUIT, 60 * kSecond_ns - 12'000'000)})),
            "by QUIT, 12 ms after it");
  EXPECT_EQ(stop_text(lived({sent(SIGHUP, 20 * kSecond_ns), sent(SIGTERM, 40 * kSecond_ns)})),
            "by TERM, 20 s after it");
  EXPECT_EQ(stop_text(lived({sent(SIGWINCH, 59 * kSecond_ns)})), "by WINCH, 1000 ms after it");
  EXPECT_EQ(stop_text(lived({sent(SIGKILL, 60 * kSecond_ns)}, SIGKILL)), "by KILL, 0 ms after it");
  EXPECT_EQ(stop_text(lived({}, SIGKILL)), "by KILL") << "no memory: nobody sent it";
}

TEST(Life, F24_AReloadLongAgoIsNoStop) {
  EXPECT_EQ(stop_text(lived({sent(SIGHUP, 20 * kSecond_ns)})), "by itself, 40 s after HUP");
  EXPECT_EQ(stop_of(lived({sent(SIGHUP, 20 * kSecond_ns)}))->by, "");
}

TEST(Life, F24_WhatComesFromWithinOrIsIgnoredStopsNothing) {
  EXPECT_EQ(stop_text(lived({sent(SIGTERM, 59 * kSecond_ns, Sender::kWorkload)})), "by itself");
  EXPECT_EQ(stop_text(lived({sent(SIGCHLD, 59 * kSecond_ns, Sender::kKernel)})), "by itself");
  EXPECT_EQ(stop_text(lived({sent(SIGINT, 59 * kSecond_ns, Sender::kKernel)})),
            "by INT, 1000 ms after it")
      << "a terminal's key";
  EXPECT_EQ(stop_text(lived({{SIGTERM, Receiver::kFirst, Sender::kOutside, 0, 2, 0}})),
            "by itself");
  EXPECT_EQ(stop_text(lived({{SIGTERM, Receiver::kOther, Sender::kOutside, 1, 0, kSecond_ns}})),
            "by itself");
}

TEST(Life, F24_ARunThatGoesOnOrWasNotSeenToEndHasNoStop) {
  profiles::Run run = lived({sent(SIGTERM, kSecond_ns)});
  run.life->end.reset();
  EXPECT_EQ(stop_text(run), "not known");
  run.life.reset();
  EXPECT_EQ(stop_text(run), "not known");
}

TEST(Life, F24_TermAndQuitAreDifferentStopsAndWhatNeverCameIsNamed) {
  std::vector<profiles::Run> runs(3, lived({sent(SIGQUIT, 59 * kSecond_ns)}));
  const LifeReport quit = life_report(runs);
  EXPECT_EQ(describe(quit.seen), "start (3 times), exit 0 (3 times), stop by QUIT (3 times)");
  EXPECT_EQ(describe(quit.missing), "exec, stop by TERM, signal HUP");
  runs.push_back(lived({sent(SIGHUP, kSecond_ns), sent(SIGTERM, 59 * kSecond_ns)}, 15));
  runs.back().life->exec_sessions = 2;
  const LifeReport both = life_report(runs);
  EXPECT_THAT(names(both.seen), ElementsAre("start", "exec", "exit 0", "exit 143", "signal HUP",
                                            "stop by QUIT", "stop by TERM"));
  EXPECT_THAT(both.missing, IsEmpty());
}

TEST(Life, F24_AShellLoopAndAReaderOfSocketsAreNothingMore) {
  profiles::Run loop = lived({{SIGCHLD, Receiver::kFirst, Sender::kKernel, 100, 0, kSecond_ns}});
  loop.life->handled = {SIGCHLD};
  for (const int nr : {SYS_rt_sigreturn, SYS_clone, SYS_openat, SYS_recvmsg, SYS_accept4})
    loop.syscalls.push_back({nr, Origin::kWorkload, 100, 5, 100, {}});
  const LifeReport report = life_report({loop});
  EXPECT_THAT(names(report.seen), ElementsAre("start", "exit 0", "stop by itself"));
  EXPECT_THAT(names(report.missing), ElementsAre("exec", "stop by TERM"));
}

TEST(Life, F24_OfRecordingsOfOlderVersionsNothingIsSaid) {
  profiles::Run old = lived({});
  old.life.reset();
  const LifeReport report = life_report({old});
  EXPECT_THAT(report.seen, IsEmpty());
  EXPECT_THAT(report.missing, IsEmpty());
  EXPECT_EQ(report.runs_without, 1U);
  const auto generated = generate({"web", "ebpf", {old}}, {});
  ASSERT_TRUE(generated) << generated.error().message;
  EXPECT_THAT(generated->warnings, Not(Contains(HasSubstr("never seen"))));
  EXPECT_EQ(generated->profile.provenance.count("life"), 0U);
}

TEST(Life, F24_GenerateNamesWhatWasNeverSeen) {
  const Observations observations{"web", "ebpf", {lived({sent(SIGQUIT, 59 * kSecond_ns)})}};
  const auto generated = generate(observations, {});
  ASSERT_TRUE(generated) << generated.error().message;
  EXPECT_THAT(generated->warnings,
              Contains(HasSubstr("never seen of this workload's life: exec, stop by TERM, signal "
                                 "HUP (seen: start (1 time), exit 0 (1 time), stop by QUIT")));
  EXPECT_EQ(generated->profile.provenance.at("neverSeen"), "exec, stop by TERM, signal HUP");
  EXPECT_EQ(coverage(observations).life.missing.size(), 3U);
}

TEST(Life, SignalsHaveTheNamesThatKillTakes) {
  EXPECT_EQ(signal_name(SIGTERM), "TERM");
  EXPECT_EQ(signal_name(SIGRTMIN), "RTMIN");
  EXPECT_EQ(signal_name(SIGRTMIN + 3), "RTMIN+3");
  EXPECT_EQ(signal_name(33), "33");
  EXPECT_EQ(signal_name(0), "0");
}

TEST(Unlearnable, F07_TheExecutablesOfAForeignAbiAreNamed) {
  profiles::Run run = lived({});
  EXPECT_EQ(describe_foreign({run}), "");
  run.foreign_calls = 7;
  EXPECT_EQ(describe_foreign({run}), "7 calls went through a foreign ABI (int 0x80, x32)");
  run.foreign_programs = {"/opt/a32\n", "/opt/b32"};
  EXPECT_EQ(describe_foreign({run, run}),
            "14 calls went through a foreign ABI (int 0x80, x32), of /opt/a32\\x0a, /opt/b32");
  const auto generated = generate({"web", "ebpf", {run}}, {});
  ASSERT_TRUE(generated);
  EXPECT_THAT(generated->warnings,
              Contains(HasSubstr("of /opt/a32\\x0a, /opt/b32: these end the process")));
}

TEST(Unlearnable, F06_NumbersWithoutANameAreToldWhetherTheyRanOrNot) {
  profiles::Run run = lived({});
  EXPECT_EQ(describe_unknown({run}), "");
  run.refused.push_back({500, Origin::kWorkload, 1, 0, 0, {}});
  EXPECT_THAT(describe_unknown({run}), HasSubstr("call number 500 has no name here"));
  run.unknown_calls = {{600, 0xffffffff}, false};
  EXPECT_THAT(describe_unknown({run}), HasSubstr("call numbers -1, 500, 600 have no name here"));
  for (std::uint64_t number = 700; number < 732; ++number) run.unknown_calls.values.insert(number);
  EXPECT_THAT(describe_unknown({run}), HasSubstr("704 and more have no name"));
  const auto generated = generate({"web", "ebpf", {run}}, {});
  ASSERT_TRUE(generated) << "no loss: under every profile the call is answered as it was here";
  EXPECT_THAT(generated->warnings, Contains(HasSubstr("no name here")));
}

TEST(Life, AContainerThatRanAlreadyHasNoStart) {
  profiles::Run joined = lived({});
  joined.start_seen = false;
  joined.fine.windows = 5;
  const LifeReport report = life_report({joined});
  EXPECT_THAT(report.missing, Contains(LifeEvent{"start", 0}));
  EXPECT_THAT(report.seen, Not(Contains(testing::Field(&LifeEvent::what, "start"))));
  EXPECT_EQ(estimate_lives({joined}).runs, 0U) << "a part of a life is no sample of lives";
  EXPECT_TRUE(no_start_seen({joined}));
  EXPECT_FALSE(no_start_seen({joined, lived({})}));
  EXPECT_FALSE(no_start_seen({}));
}

}  // namespace
}  // namespace ward::profiles
