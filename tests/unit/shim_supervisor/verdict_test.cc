// SPDX-License-Identifier: Apache-2.0
// The decision as a table: every row names the invariant it stands for.
#include "shim/supervisor/verdict.h"

#include <gtest/gtest.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>

namespace ward::shim::supervisor {
namespace {

// read: serving; bind: boot; fork: exec; socket: serving with AF_INET; nothing else.
const filter::CallTable kCalls(
    {{SYS_read, filter::kLayerServing, {}},
     {SYS_bind, filter::kLayerBoot, {}},
     {SYS_fork, filter::kLayerExec, {}},
     {SYS_execve, filter::kLayerBoot, {}},
     {SYS_socket, filter::kLayerServing, {{{0, AF_INET, 0, oci::CompareOp::kEq}}}}},
    {SYS_clone3});
filter::Conjunction low_half_is(std::uint64_t value) {
  return {{0, 0xFFFFFFFF, value, oci::CompareOp::kMaskedEq}};
}
const filter::CallTable kDanger(
    {{SYS_unshare, filter::kLayerRuntime, {}},
     {SYS_prctl, filter::kLayerRuntime, {low_half_is(PR_SET_SECCOMP)}},
     {SYS_socket, filter::kLayerRuntime, {low_half_is(AF_ALG), low_half_is(AF_NETLINK)}},
     {SYS_clone,
      filter::kLayerRuntime,
      {{{0, CLONE_NEWUSER, CLONE_NEWUSER, oci::CompareOp::kMaskedEq}}}}},
    {});

filter::OwnFilter own_filter_denying(std::vector<std::string> names, std::uint32_t error) {
  oci::Seccomp seccomp;
  seccomp.default_action = oci::SeccompAction::kAllow;
  seccomp.rules.push_back({std::move(names), oci::SeccompAction::kErrno, error, {}});
  return filter::OwnFilter::make(seccomp).value();
}

// Known to be tried in vain: the keyring, and a namespace of users.
const filter::CallTable kTriedInVain(
    {{SYS_unshare, filter::kLayerRuntime, {}},
     {SYS_clone,
      filter::kLayerRuntime,
      {{{0, CLONE_NEWUSER, CLONE_NEWUSER, oci::CompareOp::kMaskedEq}}}}},
    {});

struct Ask {
  Mode mode = Mode::kEnforce;
  Phase phase = Phase::kServing;
  Origin origin = Origin::kWorkload;
  ActionSet actions{};
  filter::OwnFilter own{};
  std::uint32_t recent_denials = 0;
  bool dying_runtime_thread = false;
  bool contained = false;
  std::uint32_t knows_up_to = 0;
  filter::CallTable refused{};
  filter::CallTable tolerated{};
  bool sessions_as_workload = false;
  filter::OwnNumberTable tolerated_own{};
  filter::OwnNumbers caller{};
  bool calmed = false;

  Verdict operator()(int nr, filter::CallArgs args = {}) const {
    return decide({.mode = mode,
                   .phase = phase,
                   .origin = origin,
                   .dying_runtime_thread = dying_runtime_thread,
                   .contained = contained,
                   .arch = oci::native_audit_arch(),
                   .nr = nr,
                   .args = args,
                   .caller = caller,
                   .recent_denials = recent_denials,
                   .calmed = calmed},
                  {kCalls, own, kDanger, actions, knows_up_to, &refused, &tolerated, &tolerated_own,
                   sessions_as_workload});
  }
};

TEST(Verdict, I3_AStormGuardIsNeverMilderThanDeny) {
  for (const Action then : {Action::kLog, Action::kDeny}) {
    const Verdict verdict = Ask{.actions = {.calmed_to = then}, .calmed = true}(SYS_mkdir);
    EXPECT_EQ(verdict.effect, Effect::kDeny);
    EXPECT_EQ(verdict.action, Action::kDeny);
    EXPECT_TRUE(verdict.calmed);
    EXPECT_TRUE(verdict.violation);
  }
  const Ask killing{.actions = {.calmed_to = Action::kKill}, .calmed = true};
  EXPECT_EQ(killing(SYS_mkdir).effect, Effect::kKill);
}

TEST(Verdict, T40_AStormGuardChangesNothingAboutTheDangerSet) {
  const Verdict verdict = Ask{.calmed = true}(SYS_unshare);
  EXPECT_EQ(verdict.effect, Effect::kQuarantine);
  EXPECT_FALSE(verdict.calmed);
  EXPECT_EQ(Ask{.calmed = true}(SYS_socket, {AF_ALG}).effect, Effect::kQuarantine);
}

TEST(Verdict, AStormGuardMakesNothingStricter) {
  const Verdict logged = Ask{.actions = {.workload = Action::kLog}, .calmed = true}(SYS_mkdir);
  EXPECT_EQ(logged.effect, Effect::kContinue);
  EXPECT_FALSE(logged.calmed);
  const Verdict denied = Ask{.actions = {.workload = Action::kDeny}, .calmed = true}(SYS_mkdir);
  EXPECT_EQ(denied.effect, Effect::kDeny);
  EXPECT_FALSE(denied.calmed);
}

TEST(Verdict, AStormGuardHoldsForWhatEscalates) {
  const ActionSet escalating{.workload = Action::kDeny,
                             .escalate_to = Action::kQuarantine,
                             .escalate_after = 3,
                             .escalate_window_ns = 1};
  const Ask ask{.actions = escalating, .recent_denials = 2, .calmed = true};
  EXPECT_EQ(ask(SYS_mkdir).effect, Effect::kDeny);
  EXPECT_TRUE(ask(SYS_mkdir).calmed);
}

TEST(Verdict, PhasesAllowTheirLayers) {
  EXPECT_EQ(Ask{.phase = Phase::kServing}(SYS_read).effect, Effect::kContinue);
  EXPECT_EQ(Ask{.phase = Phase::kBoot}(SYS_bind).effect, Effect::kContinue);
  EXPECT_TRUE(Ask{.phase = Phase::kBoot}(SYS_bind).boot_call);
  EXPECT_FALSE(Ask{.phase = Phase::kBoot}(SYS_read).boot_call);
  const Verdict late = Ask{.phase = Phase::kServing}(SYS_bind);
  EXPECT_TRUE(late.violation);
  EXPECT_EQ(late.why, Why::kNotInPhase);
  EXPECT_EQ(late.effect, Effect::kQuarantine);
}

TEST(Verdict, ExecSessionsAreJudgedByTheirOwnLayerAndAction) {
  const Ask exec{.phase = Phase::kExec, .origin = Origin::kExec};
  EXPECT_EQ(exec(SYS_fork).effect, Effect::kContinue);
  EXPECT_EQ(exec(SYS_bind).effect, Effect::kContinue);
  EXPECT_EQ(exec(SYS_mkdir).effect, Effect::kDeny)
      << "a probe never costs the workload its life by default";
  EXPECT_TRUE(Ask{.phase = Phase::kServing}(SYS_fork).violation)
      << "what exec may, the workload may not";
  EXPECT_EQ(Ask{.phase = Phase::kServing}(SYS_fork).why, Why::kNotInProfile)
      << "sessions alone are none of the workload's phases";
}

TEST(Verdict, T36_SessionsJudgedAsTheWorkloadHaveWhatItHasWhileItServesAndTheirOwnAction) {
  const Ask exec{.phase = Phase::kExec, .origin = Origin::kExec, .sessions_as_workload = true};
  EXPECT_EQ(exec(SYS_read).effect, Effect::kContinue);
  for (const int nr : {SYS_fork, SYS_bind}) {
    const Verdict verdict = exec(nr);
    EXPECT_TRUE(verdict.violation);
    EXPECT_EQ(verdict.why, Why::kNotTheWorkloads);
    EXPECT_EQ(verdict.effect, Effect::kDeny) << "a session never costs the workload its life";
  }
  EXPECT_EQ(exec(SYS_mkdir).why, Why::kNotInProfile);
  EXPECT_EQ(explain(exec(SYS_fork), "fork", "web", Phase::kExec),
            "fork is not allowed to the workload by profile web, and its policy judges exec "
            "sessions as the workload");
  EXPECT_EQ((Ask{.phase = Phase::kRuntime, .origin = Origin::kExec, .sessions_as_workload = true})(
                SYS_chdir)
                .effect,
            Effect::kContinue)
      << "until its program runs it is the runtime's";
}

TEST(Verdict, TheRuntimesOwnCallsAreNeverViolations) {
  EXPECT_EQ(Ask{.phase = Phase::kRuntime}(SYS_chdir).effect, Effect::kContinue);
  const Verdict dying = Ask{.phase = Phase::kBoot, .dying_runtime_thread = true}(SYS_epoll_ctl);
  EXPECT_EQ(dying.effect, Effect::kContinue);
  EXPECT_FALSE(dying.violation);
  EXPECT_FALSE(dying.boot_call);
}

TEST(Verdict, H01_I3_WhatPassesForTheRuntimeGetsNothingOfTheDangerSet) {
  for (const Mode mode : {Mode::kSupervise, Mode::kEnforce}) {
    for (const Ask& ask :
         {Ask{.mode = mode, .phase = Phase::kRuntime},
          Ask{.mode = mode, .phase = Phase::kBoot, .dying_runtime_thread = true},
          Ask{.mode = mode, .phase = Phase::kExec, .dying_runtime_thread = true}}) {
      for (const Verdict& verdict :
           {ask(SYS_unshare), ask(SYS_socket, {AF_ALG}), ask(SYS_prctl, {PR_SET_SECCOMP}),
            ask(SYS_clone, {CLONE_NEWUSER})}) {
        EXPECT_TRUE(verdict.violation);
        EXPECT_NE(verdict.effect, Effect::kContinue);
        EXPECT_EQ(verdict.error_number, EPERM);
      }
      EXPECT_EQ(ask(SYS_socket, {AF_UNIX}).effect, Effect::kContinue);
    }
  }
}

TEST(Verdict, WhatThePostureLetsRunIsRecordedAndNoViolation) {
  const filter::CallTable held(
      {{SYS_fsync, filter::kLayerRuntime, {}}, {SYS_bind, filter::kLayerRuntime, {}}}, {});
  for (const Mode mode : {Mode::kSupervise, Mode::kEnforce}) {
    for (const Ask& ask :
         {Ask{.mode = mode, .phase = Phase::kBoot, .tolerated = held},
          Ask{.mode = mode, .phase = Phase::kServing, .tolerated = held},
          Ask{.mode = mode, .phase = Phase::kExec, .origin = Origin::kExec, .tolerated = held}}) {
      const Verdict verdict = ask(SYS_fsync);
      EXPECT_EQ(verdict.effect, Effect::kContinue);
      EXPECT_TRUE(verdict.tolerated);
      EXPECT_FALSE(verdict.violation);
      EXPECT_EQ(verdict.action, Action::kLog);
      EXPECT_EQ(verdict.why, Why::kTolerated);
      EXPECT_EQ(explain(verdict, "fsync", "web", Phase::kServing),
                "fsync is not in profile web, whose posture lets it run");
      EXPECT_FALSE(ask(SYS_read).tolerated) << "what is listed is not recorded";
    }
  }
  EXPECT_TRUE((Ask{.phase = Phase::kServing, .tolerated = held})(SYS_bind).tolerated)
      << "allowed in another phase only";
  EXPECT_FALSE((Ask{.phase = Phase::kRuntime, .tolerated = held})(SYS_fsync).tolerated);
  EXPECT_TRUE((Ask{.contained = true, .tolerated = held})(SYS_fsync).violation);
}

TEST(Verdict, I2_I3_NoPostureLetsTheDangerSetRunNorWhatTheOwnFilterRefuses) {
  const filter::CallTable everything({{SYS_unshare, filter::kLayerRuntime, {}},
                                      {SYS_socket, filter::kLayerRuntime, {}},
                                      {SYS_mkdir, filter::kLayerRuntime, {}}},
                                     {});
  const Ask ask{.own = own_filter_denying({"mkdir"}, EACCES), .tolerated = everything};
  EXPECT_EQ(ask(SYS_unshare).effect, Effect::kQuarantine);
  EXPECT_EQ(ask(SYS_socket, {AF_ALG}).effect, Effect::kQuarantine);
  EXPECT_TRUE(ask(SYS_socket, {AF_UNIX}).tolerated);
  EXPECT_EQ(ask(SYS_mkdir).effect, Effect::kDeny);
  EXPECT_EQ(ask(SYS_mkdir).error_number, EACCES);
  EXPECT_TRUE(ask(SYS_mkdir).refused);
}

TEST(Verdict, H02_AContainerThatIsBeingMadeIsNotFrozenOrKilled) {
  for (const Action action : {Action::kKill, Action::kQuarantine}) {
    const Ask made{
        .phase = Phase::kRuntime,
        .actions = {
            .workload = action, .exec = action, .escalate_to = action, .escalate_after = 1}};
    EXPECT_EQ(made(SYS_unshare).effect, Effect::kDeny) << "runc would wait for its init for ever";
    EXPECT_FALSE(made(SYS_unshare).escalated);
  }
}

TEST(Verdict, I2_TheOwnFilterIsNeverWidenedInAnyPhaseOrMode) {
  const auto own = own_filter_denying({"bind", "mkdir", "unshare"}, ENOSYS);
  for (const Mode mode : {Mode::kSupervise, Mode::kEnforce}) {
    for (const Phase phase : {Phase::kRuntime, Phase::kBoot, Phase::kServing, Phase::kExec}) {
      for (const int nr : {SYS_bind, SYS_mkdir, SYS_unshare}) {
        const Verdict verdict = Ask{.mode = mode,
                                    .phase = phase,
                                    .actions = {.workload = Action::kLog, .exec = Action::kLog},
                                    .own = own}(nr);
        EXPECT_NE(verdict.effect, Effect::kContinue) << nr;
        EXPECT_TRUE(verdict.own_filter_denies);
        EXPECT_EQ(verdict.error_number, ENOSYS);
      }
    }
  }
  EXPECT_FALSE((Ask{.phase = Phase::kBoot, .own = own}(SYS_bind).violation))
      << "the profile allows it";
}

TEST(Verdict, F01_WhatTheOwnFilterRefusesIsItsAnswerAndNoAction) {
  const auto own = own_filter_denying({"get_mempolicy", "quotactl", "bind"}, ENODEV);
  for (const Mode mode : {Mode::kSupervise, Mode::kEnforce}) {
    for (const Origin origin : {Origin::kWorkload, Origin::kExec}) {
      for (const Action action :
           {Action::kLog, Action::kDeny, Action::kKill, Action::kQuarantine}) {
        const Ask ask{.mode = mode,
                      .phase = origin == Origin::kExec ? Phase::kExec : Phase::kServing,
                      .origin = origin,
                      .actions = {.workload = action,
                                  .exec = action,
                                  .escalate_to = action,
                                  .escalate_after = 1},
                      .own = own,
                      .recent_denials = 7};
        for (const int nr : {SYS_get_mempolicy, SYS_quotactl}) {
          const Verdict verdict = ask(nr);
          EXPECT_EQ(verdict.effect, Effect::kDeny);
          EXPECT_EQ(verdict.error_number, ENODEV);
          EXPECT_TRUE(verdict.refused);
          EXPECT_TRUE(verdict.violation) << "it is counted and recorded";
          EXPECT_EQ(verdict.action, Action::kLog);
          EXPECT_FALSE(verdict.escalated);
        }
      }
    }
  }
  EXPECT_EQ(explain(Ask{.own = own}(SYS_quotactl), "quotactl", "web", Phase::kServing),
            "quotactl is not in profile web, and the container's own seccomp profile refuses it: "
            "nothing more is done");
  EXPECT_TRUE((Ask{.own = own}(SYS_bind).refused)) << "allowed in another phase only";
}

TEST(Verdict, F01_WhatTheOwnFilterRefusesIsActedUponWhereTheProfileSaysSo) {
  const auto own = own_filter_denying({"get_mempolicy"}, ENODEV);
  const Verdict verdict = Ask{.actions = {.workload = Action::kQuarantine, .acts_on_refused = true},
                              .own = own}(SYS_get_mempolicy);
  EXPECT_FALSE(verdict.refused);
  EXPECT_EQ(verdict.effect, Effect::kQuarantine);
  EXPECT_EQ(verdict.error_number, ENODEV);
}

TEST(Verdict, F01_TheDangerSetIsActedUponThoughTheOwnFilterRefusesItUnlessItIsKnownToBeTried) {
  const auto own = own_filter_denying({"unshare", "clone", "prctl", "socket"}, ENOSYS);
  const std::vector<std::pair<int, filter::CallArgs>> calls = {{SYS_unshare, {}},
                                                               {SYS_clone, {CLONE_NEWUSER}},
                                                               {SYS_prctl, {PR_SET_SECCOMP}},
                                                               {SYS_socket, {AF_NETLINK}}};
  for (const auto& [nr, args] : calls) {
    const Verdict verdict = Ask{.own = own}(nr, args);
    EXPECT_EQ(verdict.effect, Effect::kQuarantine) << nr;
    EXPECT_EQ(verdict.error_number, ENOSYS) << nr;
    const bool listed = nr == SYS_unshare || nr == SYS_clone;
    const Verdict known = Ask{.own = own, .refused = kTriedInVain}(nr, args);
    EXPECT_EQ(known.violation, !listed) << nr;
    EXPECT_EQ(known.effect, listed ? Effect::kDeny : Effect::kQuarantine) << nr;
    EXPECT_EQ(known.error_number, ENOSYS) << nr;
  }
}

TEST(Verdict, F01_I2_ListingACallAsRefusedAllowsNothing) {
  for (const Mode mode : {Mode::kSupervise, Mode::kEnforce}) {
    const Verdict verdict = Ask{.mode = mode, .refused = kTriedInVain}(SYS_unshare);
    EXPECT_TRUE(verdict.violation) << "the container has no filter of its own that refuses it";
    EXPECT_NE(verdict.effect, Effect::kContinue);
  }
  EXPECT_EQ((Ask{.refused = kTriedInVain}(SYS_unshare).effect), Effect::kQuarantine);
}

TEST(Verdict, H07_OnlyErrorNumbersEverLeave) {
  const std::vector<std::pair<std::uint32_t, int>> rows = {
      {0, 0},     {1, 1},     {38, 38},        {512, 512},  {4094, 4094},
      {65536, 0}, {65537, 1}, {0x80000000, 0}, {131110, 38}};
  for (const auto& [asked, told] : rows) {
    const auto own = own_filter_denying({"bind", "mkdir"}, asked);
    for (const Phase phase : {Phase::kRuntime, Phase::kBoot, Phase::kServing, Phase::kExec}) {
      for (const Action action : {Action::kLog, Action::kDeny}) {
        for (const int nr : {SYS_bind, SYS_mkdir}) {
          const Verdict verdict =
              Ask{.phase = phase, .actions = {.workload = action, .exec = action}, .own = own}(nr);
          EXPECT_EQ(verdict.effect, Effect::kDeny) << "an error number of 0 does not let it run";
          EXPECT_EQ(verdict.error_number, told) << asked;
        }
      }
    }
    EXPECT_EQ((Ask{.own = own, .contained = true}(SYS_mkdir).error_number), EPERM);
  }
}

TEST(Verdict, I3_EveryActionButLogKeepsTheCallFromRunning) {
  for (const Action action : {Action::kDeny, Action::kKill, Action::kQuarantine}) {
    const Verdict verdict = Ask{.actions = {.workload = action}}(SYS_mkdir);
    EXPECT_NE(verdict.effect, Effect::kContinue);
    EXPECT_EQ(verdict.error_number, EPERM);
    EXPECT_EQ(verdict.action, action);
    EXPECT_TRUE(verdict.violation);
  }
  EXPECT_EQ((Ask{.actions = {.workload = Action::kLog}}(SYS_mkdir).effect), Effect::kContinue);
}

TEST(Verdict, I3_SuperviseContinuesAndRecordsButNeverTheDangerSet) {
  const Ask supervise{.mode = Mode::kSupervise};
  const Verdict proposal = supervise(SYS_mkdir);
  EXPECT_EQ(proposal.effect, Effect::kContinue);
  EXPECT_TRUE(proposal.violation);
  EXPECT_EQ(proposal.action, Action::kLog);
  for (const auto& [nr, args] :
       std::vector<std::pair<int, filter::CallArgs>>{{SYS_unshare, {}},
                                                     {SYS_socket, {AF_ALG}},
                                                     {SYS_socket, {(1ULL << 32U) | AF_ALG}},
                                                     {SYS_socket, {AF_NETLINK}},
                                                     {SYS_prctl, {PR_SET_SECCOMP}},
                                                     {SYS_clone, {CLONE_NEWUSER}}}) {
    const Verdict verdict = supervise(nr, args);
    EXPECT_EQ(verdict.effect, Effect::kDeny) << nr;
    EXPECT_EQ(verdict.action, Action::kDeny) << nr;
  }
  EXPECT_EQ(supervise(SYS_prctl, {PR_SET_NAME}).effect, Effect::kContinue);
  EXPECT_EQ((Ask{.actions = {.workload = Action::kLog}}(SYS_unshare).effect), Effect::kDeny);
}

TEST(Verdict, ArgumentsOutsideTheProfileAreAViolationWithItsOwnReason) {
  EXPECT_EQ(Ask{}(SYS_socket, {AF_INET}).effect, Effect::kContinue);
  const Verdict verdict = Ask{}(SYS_socket, {AF_ALG});
  EXPECT_EQ(verdict.why, Why::kArguments);
  EXPECT_EQ(explain(verdict, "socket", "web", Phase::kServing),
            "socket is not allowed with these arguments by profile web");
}

TEST(Verdict, RepeatedDenialsEscalateOnlyForTheWorkloadAndOnlyWhenAsked) {
  const ActionSet actions{.workload = Action::kDeny,
                          .exec = Action::kDeny,
                          .escalate_to = Action::kQuarantine,
                          .escalate_after = 3,
                          .escalate_window_ns = 600'000'000'000};
  EXPECT_EQ((Ask{.actions = actions, .recent_denials = 1}(SYS_mkdir).effect), Effect::kDeny);
  const Verdict third = Ask{.actions = actions, .recent_denials = 2}(SYS_mkdir);
  EXPECT_EQ(third.effect, Effect::kQuarantine);
  EXPECT_TRUE(third.escalated);
  EXPECT_EQ(
      (Ask{.phase = Phase::kExec, .origin = Origin::kExec, .actions = actions, .recent_denials = 9}(
           SYS_mkdir)
           .effect),
      Effect::kDeny);
}

TEST(Verdict, AContainedContainerGetsNothingButDenials) {
  const Verdict verdict = Ask{.phase = Phase::kBoot, .contained = true}(SYS_read);
  EXPECT_EQ(verdict.effect, Effect::kDeny);
  EXPECT_EQ(verdict.error_number, EPERM);
}

TEST(Verdict, A02_AForeignAbiIsNeverLetRun) {
  const ActionSet log{.workload = Action::kLog, .exec = Action::kLog};
  const filter::OwnFilter none;
  const Verdict verdict = decide({.phase = Phase::kServing, .arch = 0x40000003, .nr = SYS_read},
                                 {kCalls, none, kDanger, log});
  EXPECT_NE(verdict.effect, Effect::kContinue);
  EXPECT_EQ(verdict.why, Why::kForeignAbi);
}

// fchmodat2 is 452, cachestat 451, listxattrat 465.
TEST(Verdict, F06_ACallNewerThanTheProfileIsAnsweredAsByAnOlderKernelAndCostsNothing) {
  constexpr int kFchmodat2 = 452, kListxattrat = 465;
  const Ask ask{.knows_up_to = 451};
  for (const int nr : {kFchmodat2, kListxattrat}) {
    const Verdict verdict = ask(nr);
    EXPECT_EQ(verdict.effect, Effect::kDeny);
    EXPECT_EQ(verdict.error_number, ENOSYS);
    EXPECT_TRUE(verdict.violation) << "it is recorded";
    EXPECT_EQ(verdict.why, Why::kNewerThanProfile);
  }
  EXPECT_EQ(ask(451).effect, Effect::kQuarantine) << "known and left out on purpose";
  EXPECT_EQ((Ask{.knows_up_to = kFchmodat2}(kFchmodat2).effect), Effect::kQuarantine);
  EXPECT_EQ(Ask{}(kFchmodat2).effect, Effect::kQuarantine)
      << "a profile that does not say what it knew knew all";
  EXPECT_EQ((Ask{.mode = Mode::kSupervise, .knows_up_to = 451}(kFchmodat2).effect),
            Effect::kContinue);
  EXPECT_EQ(explain(ask(kFchmodat2), "fchmodat2", "web", Phase::kServing),
            "fchmodat2 is newer than profile web");
}

TEST(Verdict, F06_TwoCallsInAGapOfTheNumbersAreNewAllTheSame) {
  constexpr int kUretprobe = 335, kUprobe = 336;
  EXPECT_EQ((Ask{.knows_up_to = 456}(kUretprobe).error_number), ENOSYS);
  EXPECT_EQ((Ask{.knows_up_to = 463}(kUretprobe).effect), Effect::kQuarantine);
  EXPECT_EQ((Ask{.knows_up_to = 463}(kUprobe).error_number), ENOSYS);
}

TEST(Verdict, F06_I3_WhatIsDangerousIsNeverExcusedAsNew) {
  const Ask ask{.knows_up_to = 1};
  EXPECT_EQ(ask(SYS_unshare).effect, Effect::kQuarantine);
  EXPECT_EQ(
      (Ask{.own = own_filter_denying({"mkdir"}, EACCES), .knows_up_to = 1}(SYS_mkdir).error_number),
      EACCES)
      << "the container's own filter speaks first";
}

TEST(Verdict, F08_SuperviseStopsNothingButTheDangerSet) {
  const Ask supervise{.mode = Mode::kSupervise};
  for (int nr = 0; nr < 470; ++nr) {
    if (nr == SYS_unshare || nr == SYS_clone3) continue;
    EXPECT_EQ(supervise(nr).effect, Effect::kContinue) << nr;
  }
  EXPECT_EQ(supervise(SYS_unshare).effect, Effect::kDeny);
  EXPECT_TRUE(supervise(SYS_unshare).violation) << "and says so";
}

TEST(Verdict, I11_ACallWithTheCallersOwnNumberIsLetRunAndSaidSo) {
  node::v1::CompiledProfile compiled;
  node::v1::OwnNumberRule& rule = *compiled.add_tolerated_own();
  rule.mutable_rule()->set_nr(SYS_kill);
  rule.add_own(0);
  compiled.add_tolerated_own()->mutable_rule()->set_nr(SYS_tkill);  // damaged: it names no argument
  const filter::OwnNumberTable table(compiled);
  EXPECT_TRUE(table.names(SYS_kill));
  EXPECT_FALSE(table.names(SYS_tkill));
  const Ask ask{.phase = Phase::kServing, .tolerated_own = table, .caller = {7, 9}};
  for (const std::uint64_t own : {std::uint64_t{7}, std::uint64_t{9}}) {
    const Verdict verdict = ask(SYS_kill, {own, 15});
    EXPECT_EQ(verdict.effect, Effect::kContinue);
    EXPECT_TRUE(verdict.tolerated && verdict.own_number && !verdict.violation);
    EXPECT_EQ(explain(verdict, "kill", "web", Phase::kServing),
              "kill is not in profile web, whose posture lets it run: the number is the caller's "
              "own");
  }
  constexpr std::uint64_t kUpper = std::uint64_t{1} << 32U;
  for (const std::uint64_t other : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{8},
                                    7 | kUpper, ~std::uint64_t{0}, ~std::uint64_t{6}}) {
    EXPECT_TRUE(ask(SYS_kill, {other, 15}).violation) << other;
  }
  EXPECT_TRUE(ask(SYS_tkill, {9, 15}).violation);
  const Ask thread{.phase = Phase::kServing, .tolerated_own = table, .caller = {7, 9, {11}}};
  EXPECT_TRUE(thread(SYS_kill, {11, 15}).own_number) << "another thread of its process";
  EXPECT_TRUE(thread(SYS_kill, {12, 15}).violation);
  // Nobody's numbers are known: nothing is its own, 0 least of all.
  const Ask unknown{.phase = Phase::kServing, .tolerated_own = table, .caller = {}};
  for (const std::uint64_t any : {std::uint64_t{0}, std::uint64_t{7}})
    EXPECT_TRUE(unknown(SYS_kill, {any, 15}).violation);
}

}  // namespace
}  // namespace ward::shim::supervisor
