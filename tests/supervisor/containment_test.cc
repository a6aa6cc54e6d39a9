// SPDX-License-Identifier: Apache-2.0
// Denied, killed, frozen: what becomes of a real container that breaks its profile.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>

#ifdef __SANITIZE_ADDRESS__
extern "C" std::size_t
__sanitizer_get_current_allocated_bytes();  // g++ ships the function without its header
#endif

#include "lib/base/scope_exit.h"
#include "lib/json/json.h"
#include "lib/linux/bpf_call.h"
#include "tests/supervisor/supervised_container.h"

namespace ward::shim::supervisor {
namespace {

constexpr ActionSet kDenyAll{.workload = Action::kDeny, .exec = Action::kDeny};
constexpr ActionSet kKillAll{.workload = Action::kKill, .exec = Action::kDeny};
constexpr ActionSet kQuarantineAll{.workload = Action::kQuarantine, .exec = Action::kDeny};

class Denial : public SupervisedContainer {};
class Killing : public SupervisedContainer {
 protected:
  nlohmann::json evidence_of_first_violation() {
    EXPECT_TRUE(run_until([&] { return !violations_.empty(); }));
    if (violations_.empty()) return {};
    const std::filesystem::path bundle = violations_[0].evidence();
    EXPECT_TRUE(run_until([&] { return std::filesystem::exists(bundle / "SHA256SUMS"); }));
    return parse_json<nlohmann::json>(read_file(bundle / "evidence.json").value_or(""));
  }
  // 0: the timeline does not have it.
  static std::int64_t moment(const nlohmann::json& document, const char* what) {
    for (const auto& one : document.value("timeline", nlohmann::json::array()))
      if (one["what"] == what) return one["at_ns"];
    return 0;
  }
};
class Quarantine : public SupervisedContainer {};
class Flood : public SupervisedContainer {};

std::uint64_t calls_in(const std::vector<node::v1::Violation>& violations) {
  std::uint64_t calls = 0;
  for (const auto& violation : violations) calls += 1 + violation.repeats();
  return calls;
}

TEST_F(Denial, I3_TheCallDoesNotRunAndTheContainerGoesOn) {
  start(charge(kDenyAll), {"mkdir", "unshare", "ready", "hold"});
  ASSERT_TRUE(run_until_out("ready"));
  EXPECT_EQ(out(), "mkdir -1 1\nunshare -1 1\nready 0 0\n");
  EXPECT_FALSE(made());
  ASSERT_EQ(violations_.size(), 2U);
  EXPECT_EQ(violations_[0].syscall(), "mkdir");
  EXPECT_EQ(violations_[0].comm(), "t");
  EXPECT_EQ(violations_[0].exe(), "/t");
  EXPECT_EQ(violations_[0].phase(), node::v1::PHASE_BOOT);
  EXPECT_EQ(violations_[0].reason(), "mkdir is not in profile test");
  EXPECT_GT(violations_[0].answered_ns(), 0U);
  EXPECT_EQ(violations_[1].args_text(0), "CLONE_NEWNS|CLONE_NEWUSER");
}

TEST_F(Denial, TheRuntimesOwnCallsAreLetRunAndAreNoViolations) {
  start(charge(kKillAll), {"ready", "hold"});
  ASSERT_TRUE(run_until_out("ready"));
  EXPECT_TRUE(violations_.empty());
  EXPECT_GE(supervisor_->continued(), 1U) << "its execve";
  EXPECT_EQ(supervisor_->phase(), Phase::kBoot);
}

TEST_F(Denial, WhatOnlyBootAllowsIsAViolationOnceQuiet) {
  Charge with_boot = charge(kDenyAll);
  const auto mkdir = static_cast<std::uint32_t>(*oci::find_syscall("mkdir"));
  const auto rmdir = static_cast<std::uint32_t>(*oci::find_syscall("rmdir"));
  const auto execve = static_cast<std::uint32_t>(*oci::find_syscall("execve"));
  with_boot.calls = filter::CallTable({{execve, filter::kLayerBoot, {}},
                                       {mkdir, filter::kLayerBoot, {}},
                                       {rmdir, filter::kLayerServing, {}}},
                                      {});
  with_boot.boundary_quiet = std::chrono::milliseconds(100);
  start(with_boot, {"mkdir", "nap", "rmdir", "mkdir", "ready", "hold"});
  ASSERT_TRUE(run_until_out("ready"));
  EXPECT_EQ(out(), "mkdir 0 0\nrmdir 0 0\nmkdir -1 1\nready 0 0\n");
  EXPECT_EQ(supervisor_->phase(), Phase::kServing);
  ASSERT_EQ(violations_.size(), 1U);
  EXPECT_EQ(violations_[0].phase(), node::v1::PHASE_SERVING);
}

TEST_F(Denial, AnExecSessionHasItsOwnListenerAndNeverCostsTheWorkloadItsLife) {
  start(charge(kKillAll), {"ready", "hold"});
  ASSERT_TRUE(run_until_out("ready"));
  runc({"exec", id_, "/t", "mkdir"});
  ASSERT_TRUE(run_until_out("mkdir -1 1"));
  EXPECT_FALSE(made());
  ASSERT_EQ(violations_.size(), 1U);
  EXPECT_EQ(violations_[0].origin(), node::v1::ORIGIN_EXEC);
  EXPECT_EQ(violations_[0].phase(), node::v1::PHASE_EXEC);
  EXPECT_EQ(::kill(pid_, 0), 0) << "the workload lives";
}

TEST_F(Denial, RepeatedDenialsEscalate) {
  ActionSet actions = kDenyAll;
  actions.escalate_to = Action::kKill;
  actions.escalate_after = 2;
  actions.escalate_window_ns = 600'000'000'000;
  start(charge(actions), {"mkdir", "unshare", "ready", "hold"});
  ASSERT_TRUE(
      run_until([&] { return violations_.size() == 2 && violations_[1].contained_ns() > 0; }));
  EXPECT_EQ(out(), "mkdir -1 1\n");
  EXPECT_EQ(violations_[1].outcome(), "killed");
}

TEST_F(Denial, LogLetsTheCallRunAndSuperviseDeniesTheDangerSet) {
  Charge supervised = charge(kQuarantineAll);
  supervised.mode = Mode::kSupervise;
  supervised.danger = filter::CallTable(
      {{static_cast<std::uint32_t>(*oci::find_syscall("unshare")), filter::kLayerRuntime, {}}}, {});
  start(supervised, {"mkdir", "unshare", "ready", "hold"});
  ASSERT_TRUE(run_until_out("ready"));
  EXPECT_EQ(out(), "mkdir 0 0\nunshare -1 1\nready 0 0\n");
  EXPECT_TRUE(made());
  EXPECT_FALSE(supervisor_->is_quarantined());
}

TEST_F(Killing, I3_EveryProcessDiesAndTheCallDoesNotRun) {
  start(charge(kKillAll), {"crowd", "mkdir", "ready", "hold"});
  ASSERT_TRUE(run_until([&] { return !violations_.empty(); }));
  EXPECT_EQ(violations_[0].outcome(), "killed");
  EXPECT_GT(violations_[0].contained_ns(), 0U);
  std::printf("received to all 21 processes frozen: %.2f ms\n",
              static_cast<double>(violations_[0].contained_ns()) / 1e6);
  ASSERT_TRUE(cgroups_);
  if (cgroups_->unified) {
    EXPECT_FALSE(*cgroups_->unified->is_populated());
  }
  EXPECT_EQ(out(), "");
  EXPECT_FALSE(made());
  EXPECT_FALSE(killed_by_callback_);
}

TEST_F(Killing, WhatItWasIsReadWhileItIsFrozenAndNothingRunsMeanwhile) {
  // With sanitizers, on a busy machine, 50 ms may be too short for all of it.
  ::setenv("WARD_FAULTS", "kill.hold=error(EIO)", 1);
  const ScopeExit no_faults([] { ::unsetenv("WARD_FAULTS"); });
  start(charge(kKillAll), {"crowd", "mkdir", "ready", "hold"});
  const nlohmann::json document = evidence_of_first_violation();
  for (const char* key : {"offender_and_ancestors", "processes", "call", "timeline"})
    ASSERT_FALSE(document.value(key, nlohmann::json()).empty()) << document["left_out"].dump(1);
  EXPECT_FALSE(document["offender_and_ancestors"][0].contains("gone"));
  EXPECT_EQ(document["processes"].size(), 21U);
  EXPECT_EQ(out(), "");
  EXPECT_FALSE(made());
  EXPECT_GT(moment(document, "captured"), 0);
  EXPECT_EQ(document["offender_and_ancestors"][0]["arguments"][0], "/t");
  EXPECT_EQ(document["call"]["args"][0]["string"], "/made") << document["call"].dump(1);
}

TEST_F(Killing, ReadingHoldsItUpForAMoment) {
  start(charge(kKillAll), {"crowd", "mkdir", "ready", "hold"});
  const nlohmann::json document = evidence_of_first_violation();
  const std::int64_t asked_ns = moment(document, "freeze requested");
  EXPECT_GT(asked_ns, 0);
  EXPECT_LT(moment(document, "kill requested") - asked_ns, 500'000'000)
      << "50 ms, and what a busy machine adds";
}

TEST_F(Killing, WhereNoEvidenceCanBeTakenItDiesAllTheSame) {
  Charge without = charge(kKillAll);
  without.evidence_root = root_ / "file/evidence";
  std::ofstream(root_ / "file") << "";
  start(without, {"mkdir", "ready", "hold"});
  ASSERT_TRUE(run_until([&] { return !violations_.empty(); }));
  EXPECT_EQ(violations_[0].outcome().rfind("killed; no evidence: mkdir", 0), 0U)
      << violations_[0].outcome();
  EXPECT_GT(violations_[0].contained_ns(), 0U);
}

TEST_F(Quarantine, I6_FrozenCutAndKeptAndStillDeletable) {
  start(charge(kQuarantineAll), {"crowd", "mkdir", "ready", "hold"});
  ASSERT_TRUE(run_until([&] { return !violations_.empty(); }));
  const auto& violation = violations_[0];
  EXPECT_EQ(violation.outcome().rfind("quarantined", 0), 0U) << violation.outcome();
  EXPECT_TRUE(supervisor_->is_quarantined());
  EXPECT_EQ(frozen_, std::vector<bool>{true});
  std::printf("received to answered: %.2f ms, to cut and frozen: %.2f ms\n",
              static_cast<double>(violation.answered_ns()) / 1e6,
              static_cast<double>(violation.contained_ns()) / 1e6);
  auto cgroups = open_cgroups_of(pid_);
  ASSERT_TRUE(cgroups);
  if (cgroups->unified) {
    EXPECT_TRUE(*cgroups->unified->is_frozen());
    EXPECT_EQ(*count_packet_filters(cgroups->unified->directory(), true), 1U);
    EXPECT_EQ(*count_packet_filters(cgroups->unified->directory(), false), 1U);
  }
  EXPECT_EQ(out(), "");
  EXPECT_FALSE(made());
  ASSERT_TRUE(run_until([&] {
    return std::filesystem::exists(std::filesystem::path(violation.evidence()) / "SHA256SUMS");
  }));

  bool dead = false;
  const std::int64_t began = monotonic_ns();
  ASSERT_TRUE(supervisor_->kill([&](const Result<void>& result) { dead = result.has_value(); }));
  ASSERT_TRUE(run_until([&] { return dead; }));
  EXPECT_LT(monotonic_ns() - began, 2'000'000'000);
  EXPECT_EQ(runc({"delete", "--force", id_}), 0);
  EXPECT_EQ(out(), "") << "no instruction of it ran after the violation";
}

TEST_F(Quarantine, WhereNoEvidenceCanBeTakenTheRecordSaysSo) {
  Charge without = charge(kQuarantineAll);
  without.evidence_root = root_ / "file/evidence";
  std::ofstream(root_ / "file") << "";
  start(without, {"mkdir", "ready", "hold"});
  ASSERT_TRUE(run_until([&] { return !violations_.empty(); }));
  EXPECT_EQ(violations_[0].outcome().rfind("quarantined", 0), 0U) << violations_[0].outcome();
  EXPECT_NE(violations_[0].outcome().find("; no evidence: mkdir"), std::string::npos)
      << violations_[0].outcome();
  EXPECT_EQ(violations_[0].evidence(), "");
  EXPECT_TRUE(supervisor_->is_quarantined()) << "evidence is refused, enforcement never";
}

TEST_F(Quarantine, WhoeverThawsItFindsItFrozenAgain) {
  start(charge(kQuarantineAll), {"mkdir", "ready", "hold"});
  ASSERT_TRUE(run_until([&] { return !frozen_.empty(); }));
  auto cgroups = open_cgroups_of(pid_);
  ASSERT_TRUE(cgroups);
  auto& cgroup = cgroups->unified ? *cgroups->unified : *cgroups->freezer;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(cgroup.request_freeze(false));
    ASSERT_TRUE(run_until([&] { return cgroup.is_frozen().value_or(false); }));
  }
  EXPECT_TRUE(supervisor_->is_quarantined());
  EXPECT_FALSE(made())
      << "between two freezes it may run, but the call it was stopped for is never let run";
}

TEST_F(Quarantine, ReleasedItGoesOnWithItsCallDenied) {
  start(charge(kQuarantineAll), {"mkdir", "ready", "hold"});
  ASSERT_TRUE(run_until([&] { return !frozen_.empty(); }));
  ASSERT_TRUE(supervisor_->release());
  EXPECT_EQ(frozen_, (std::vector<bool>{true, false}));
  ASSERT_TRUE(run_until_out("ready"));
  EXPECT_EQ(out(), "mkdir -1 1\nready 0 0\n");
  EXPECT_FALSE(supervisor_->is_quarantined()) << "the same call is not punished twice";
  EXPECT_FALSE(supervisor_->release());
}

TEST_F(Quarantine, APersonMayAskForIt) {
  start(charge(kQuarantineAll), {"ready", "hold"});
  ASSERT_TRUE(run_until_out("ready"));
  ASSERT_TRUE(supervisor_->quarantine("suspicious"));
  EXPECT_FALSE(supervisor_->quarantine("twice"));
  ASSERT_TRUE(run_until([&] { return !frozen_.empty(); }));
  EXPECT_EQ(supervisor_->last_measure().note, "quarantined by request: suspicious");
  EXPECT_TRUE(violations_.empty());
}

TEST_F(Quarantine, Q02_AForkBombIsContainedToo) {
  if (!can_limit_pids())
    GTEST_SKIP() << "no pids controller here: a fork bomb would not stay in its container";
  start(charge(kQuarantineAll), {"bomb", "nap", "mkdir", "ready", "hold"});
  ASSERT_TRUE(run_until([&] { return !violations_.empty(); }));
  std::printf("fork bomb: %s after %.2f ms\n", violations_[0].outcome().c_str(),
              static_cast<double>(violations_[0].contained_ns()) / 1e6);
  EXPECT_FALSE(made());
  bool dead = false;
  ASSERT_TRUE(supervisor_->kill([&](const Result<void>& result) { dead = result.has_value(); }));
  ASSERT_TRUE(run_until([&] { return dead; }));
}

// AddressSanitizer keeps freed memory back, so there the live heap is asked for instead of the
// resident set.
long held_kilobytes() {
#ifdef __SANITIZE_ADDRESS__
  return static_cast<long>(__sanitizer_get_current_allocated_bytes() / 1024);
#else
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
#endif
}

TEST_F(Flood, R06_I4_AHundredThousandDeniedCallsCostNoMemoryAndLoseNoCount) {
  start(charge(kDenyAll), {"ready", "flood", "hold"});
  const long before = held_kilobytes();
  const std::int64_t began = monotonic_ns();
  ASSERT_TRUE(run_until_out("flood"));
  const double seconds = static_cast<double>(monotonic_ns() - began) / 1e9;
  const long more = held_kilobytes() - before;
  EXPECT_NE(out().find("flood 100000 0\n"), std::string::npos) << out();
  EXPECT_EQ(supervisor_->violations(), 100'000U);
  EXPECT_EQ(counted_, 100'000U) << "each before it is answered";
  supervisor_->flush();
  EXPECT_EQ(calls_in(violations_), 100'000U);
  EXPECT_LE(violations_.size(), 200U);
  EXPECT_LE(more, 2048) << "kilobytes";
  std::printf("flood: %.0f denials a second, %zu records, %ld kB more\n", 100'000 / seconds,
              violations_.size(), more);
}

}  // namespace
}  // namespace ward::shim::supervisor
