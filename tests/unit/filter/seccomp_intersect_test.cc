// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/seccomp_intersect.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <filesystem>
#include <optional>
#include <random>

#include "lib/base/file.h"
#include "lib/oci/bundle.h"
#include "tests/unit/filter/loaded_filter.h"

namespace ward::filter {
namespace {

constexpr Answer kAllowed{oci::SeccompAction::kAllow, 0};
constexpr Answer kSeen{oci::SeccompAction::kNotify, 0};
constexpr Answer kNoSuchCall{oci::SeccompAction::kErrno, ENOSYS};

oci::SeccompArg eq(std::uint32_t index, std::uint64_t value) {
  return {index, value, 0, oci::CompareOp::kEq};
}
oci::SeccompArg masked(std::uint32_t index, std::uint64_t mask, std::uint64_t value) {
  return {index, mask, value, oci::CompareOp::kMaskedEq};
}
CallRule serving(int nr, std::vector<Conjunction> alternatives = {}) {
  return {static_cast<std::uint32_t>(nr), kLayerServing, std::move(alternatives)};
}
Answer answer(const CallTable& table, const OwnFilter& own, int nr, const CallArgs& args = {}) {
  return LoadedFilter(complement_form(table, own)).answer(nr, args);
}

TEST(CallTable, PhasesAddLayersAndAnythingElseIsNotAllowed) {
  const CallTable table(
      {{1, kLayerServing, {}}, {2, kLayerBoot, {}}, {3, kLayerExec, {{eq(0, 7)}, {eq(1, 8)}}}},
      {9});
  EXPECT_TRUE(table.allows(1, {}, kAllowedInServing));
  EXPECT_TRUE(table.allows(1, {}, kAllowedInBoot));
  EXPECT_FALSE(table.allows(2, {}, kAllowedInServing));
  EXPECT_TRUE(table.allows(2, {}, kAllowedInExec));
  EXPECT_FALSE(table.allows(3, {}, kAllowedInExec));
  EXPECT_TRUE(table.allows(3, {7, 0}, kAllowedInExec));
  EXPECT_TRUE(table.allows(3, {0, 8}, kAllowedInExec));
  EXPECT_FALSE(table.allows(-1, {}, ~0U));
  EXPECT_TRUE(table.answers_enosys(9));
}

TEST(CallTable, CopiesShareWhatTheyHoldAndAnEmptyOneHoldsNothing) {
  std::optional<CallTable> table(std::in_place, std::vector{serving(SYS_read)},
                                 std::vector<std::uint32_t>{});
  const CallTable copy = *table;
  static_assert(sizeof(CallTable) == sizeof(std::shared_ptr<const int>), "a share, and no more");
  table.reset();
  EXPECT_TRUE(copy.allows(SYS_read, {}, kLayerServing));
  const CallTable empty;
  EXPECT_TRUE(empty.rules_of(SYS_read).empty());
  EXPECT_FALSE(empty.answers_enosys(SYS_read));
}

// The flat form means what the rules mean, and gives them back.
TEST(CallTable, RulesComeBackAsTheyWereGiven) {
  const Conjunction first{{0, 7, 0, oci::CompareOp::kEq}, {1, 0xF, 1, oci::CompareOp::kMaskedEq}};
  const Conjunction second{{5, 9, 0, oci::CompareOp::kGt}};
  const CallTable table({{3, kLayerBoot, {first, second}}, {3, kLayerExec, {}}, {4, 1, {{}}}}, {});
  const auto rules = table.rules_of(3);
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_EQ(rules[0].layers, kLayerBoot);
  EXPECT_EQ(rules[0].alternatives, (std::vector<Conjunction>{first, second}));
  EXPECT_TRUE(rules[1].alternatives.empty());
  EXPECT_TRUE(table.allows(3, {7, 1}, kLayerBoot));
  EXPECT_FALSE(table.allows(3, {7, 0xF}, kLayerBoot)) << "of one alternative all must hold";
  EXPECT_TRUE(table.allows(3, {0, 0, 0, 0, 0, 10}, kLayerBoot));
  EXPECT_TRUE(table.allows(4, {1, 2, 3}, 1)) << "no condition is any arguments";
  EXPECT_TRUE(table.names(3, kLayerBoot));
  EXPECT_FALSE(table.names(3, kLayerServing));
  EXPECT_FALSE(table.names(5, ~0U));
}

TEST(CallTable, AnArgumentThatThereIsNotNeverFits) {
  const CallTable table({{3, 1, {{{6, 0, 0, oci::CompareOp::kEq}}}}, {70'000, 1, {}}}, {});
  EXPECT_FALSE(table.allows(3, {}, 1));
  EXPECT_FALSE(table.allows(70'000, {}, 1)) << "no call has such a number";
  EXPECT_FALSE(table.allows(70'000 - 65'536, {}, 1));
}

TEST(ComplementForm, WhatIsNotAllowedIsSeenAndTheUnknownHasNoSuchCall) {
  const CallTable table({serving(SYS_read), {SYS_bind, kLayerBoot, {}}}, {SYS_openat2});
  const LoadedFilter filter(complement_form(table, {}));
  EXPECT_EQ(filter.answer(SYS_read, {}), kAllowed);
  EXPECT_EQ(filter.answer(SYS_write, {}), kAllowed);
  EXPECT_EQ(filter.answer(SYS_bind, {}), kSeen) << "allowed in one phase only: decided at run time";
  EXPECT_EQ(filter.answer(SYS_mount, {}), kSeen);
  EXPECT_EQ(filter.answer(SYS_seccomp, {}), kSeen);
  EXPECT_EQ(filter.answer(SYS_prctl, {22}), kSeen);
  EXPECT_EQ(filter.answer(SYS_clone3, {}), kNoSuchCall);
  EXPECT_EQ(filter.answer(SYS_openat2, {}), kNoSuchCall);
  EXPECT_EQ(filter.answer(4000, {}), kNoSuchCall);
}

TEST(ComplementForm, ProgramsAreSeenToStartEvenWhereTheyMay) {
  const CallTable table({serving(SYS_execve), serving(SYS_execveat)}, {});
  EXPECT_EQ(answer(table, {}, SYS_execve), kSeen);
  EXPECT_EQ(answer(table, {}, SYS_execveat), kSeen);
}

TEST(ComplementForm, FilteredArgumentsHaveTheirComplement) {
  const CallTable table({serving(SYS_socket, {{eq(0, 1)}, {eq(0, 2), masked(1, 0xf, 1)}}),
                         serving(SYS_clone, {{masked(0, 0x7E020000, 0)}}),
                         serving(SYS_prctl, {{eq(0, 15)}, {eq(0, 0x59616d61)}})},
                        {});
  const LoadedFilter filter(complement_form(table, {}));
  EXPECT_EQ(filter.answer(SYS_socket, {1, 77}), kAllowed);
  EXPECT_EQ(filter.answer(SYS_socket, {2, 0x80001}), kAllowed);
  EXPECT_EQ(filter.answer(SYS_socket, {2, 3}), kSeen);
  EXPECT_EQ(filter.answer(SYS_socket, {38, 5}), kSeen);
  EXPECT_EQ(filter.answer(SYS_socket, {0x1'0000'0001, 5}), kSeen);
  EXPECT_EQ(filter.answer(SYS_clone, {0x1200011}), kAllowed);
  for (int bit = 0; bit < 64; ++bit) {
    const bool creates_namespace = (0x7E020000ULL >> bit & 1U) != 0;
    EXPECT_EQ(filter.answer(SYS_clone, {1ULL << bit}), creates_namespace ? kSeen : kAllowed) << bit;
  }
  EXPECT_EQ(filter.answer(SYS_prctl, {15}), kAllowed);
  EXPECT_EQ(filter.answer(SYS_prctl, {0x59616d61}), kAllowed);
  for (const std::uint64_t option :
       {0ULL, 14ULL, 16ULL, 22ULL, 0x59616d60ULL, 0x59616d62ULL, ~0ULL}) {
    EXPECT_EQ(filter.answer(SYS_prctl, {option}), kSeen) << option;
  }
}

TEST(ComplementForm, I2_TheOwnFilterKeepsItsAnswers) {
  oci::Seccomp asked;
  asked.default_action = oci::SeccompAction::kErrno;
  asked.rules = {{{"read", "write", "mount", "socket"}, oci::SeccompAction::kAllow, {}, {}},
                 {{"ptrace"}, oci::SeccompAction::kKillThread, {}, {}},
                 {{"bpf"}, oci::SeccompAction::kTrap, {}, {}},
                 {{"getpid"}, oci::SeccompAction::kErrno, 77, {}},
                 {{"getuid"}, oci::SeccompAction::kLog, {}, {}},
                 {{"personality"}, oci::SeccompAction::kAllow, {}, {eq(0, 0)}}};
  const OwnFilter own = OwnFilter::make(asked).value();
  const CallTable table(
      {serving(SYS_read), serving(SYS_close), serving(SYS_ptrace), serving(SYS_bpf),
       serving(SYS_getpid), serving(SYS_getuid), serving(SYS_socket, {{eq(0, 1)}}),
       serving(SYS_personality, {{eq(0, 0)}, {eq(0, 8)}})},
      {});
  EXPECT_EQ(answer(table, own, SYS_read), kAllowed);
  EXPECT_EQ(answer(table, own, SYS_close), (Answer{oci::SeccompAction::kErrno, EPERM}));
  EXPECT_EQ(answer(table, own, SYS_ptrace).action, oci::SeccompAction::kKillProcess)
      << "never a half-dead process";
  EXPECT_EQ(answer(table, own, SYS_bpf).action, oci::SeccompAction::kTrap);
  EXPECT_EQ(answer(table, own, SYS_getpid), (Answer{oci::SeccompAction::kErrno, 77}));
  EXPECT_EQ(answer(table, own, SYS_getuid).action, oci::SeccompAction::kLog);
  EXPECT_EQ(answer(table, own, SYS_mount), kSeen)
      << "the table does not allow it: seen, whatever the own filter says";
  EXPECT_EQ(answer(table, own, SYS_unshare), kSeen);
  EXPECT_EQ(answer(table, own, SYS_socket, {1}), kAllowed);
  EXPECT_EQ(answer(table, own, SYS_socket, {2}), kSeen);
  EXPECT_EQ(answer(table, own, SYS_personality, {0}), kAllowed);
  EXPECT_EQ(answer(table, own, SYS_personality, {8}), (Answer{oci::SeccompAction::kErrno, EPERM}));
  EXPECT_EQ(answer(table, own, SYS_personality, {9}), kSeen);
}

TEST(ComplementForm, F01_WhatIsListedAsRefusedHasTheOwnAnswerWithinTheKernel) {
  oci::Seccomp asked;
  asked.default_action = oci::SeccompAction::kErrno;
  asked.default_errno_ret = ENODEV;
  asked.rules = {{{"read", "mount"}, oci::SeccompAction::kAllow, {}, {}},
                 {{"clone"}, oci::SeccompAction::kAllow, {}, {masked(0, 0x7E020000, 0)}},
                 {{"keyctl"}, oci::SeccompAction::kTrap, {}, {}}};
  const CallTable table({serving(SYS_read), serving(SYS_clone, {{masked(0, 0x7E020000, 0)}})}, {});
  const CallTable listed({{SYS_get_mempolicy, kLayerRuntime, {}},
                          {SYS_mount, kLayerRuntime, {}},
                          {SYS_keyctl, kLayerRuntime, {}},
                          {SYS_clone, kLayerRuntime, {{masked(0, 0x10000000, 0x10000000)}}},
                          {SYS_socket, kLayerRuntime, {{eq(0, 40)}}}},
                         {});
  const LoadedFilter filter(
      complement_form(table, OwnFilter::make(asked).value(), {.listed = listed}));
  const Answer own{oci::SeccompAction::kErrno, ENODEV};
  EXPECT_EQ(filter.answer(SYS_get_mempolicy, {}), own);
  EXPECT_EQ(filter.answer(SYS_quotactl, {}), kSeen) << "not listed";
  EXPECT_EQ(filter.answer(SYS_mount, {}), kSeen) << "the own filter allows it";
  EXPECT_EQ(filter.answer(SYS_keyctl, {}), (Answer{oci::SeccompAction::kTrap, 0}));
  EXPECT_EQ(filter.answer(SYS_clone, {0x1200011}), kAllowed);
  EXPECT_EQ(filter.answer(SYS_clone, {0x10000011}), own);
  EXPECT_EQ(filter.answer(SYS_clone, {0x40000011}), kSeen);
  EXPECT_EQ(filter.answer(SYS_socket, {40, 1}), own);
  EXPECT_EQ(filter.answer(SYS_socket, {38, 1}), kSeen);
  const LoadedFilter without(complement_form(table, {}, {.listed = listed}));
  for (const int nr : {SYS_get_mempolicy, SYS_mount, SYS_keyctl})
    EXPECT_EQ(without.answer(nr, {}), kSeen);
}

TEST(ComplementForm, F01_ASignalIsTheKernelsToGiveExceptForTheDangerSet) {
  oci::Seccomp asked;
  asked.default_action = oci::SeccompAction::kKillProcess;
  asked.rules = {{{"read", "getpid", "openat2"}, oci::SeccompAction::kAllow, {}, {}},
                 {{"quotactl"}, oci::SeccompAction::kErrno, 7, {}},
                 {{"socket"}, oci::SeccompAction::kTrap, {}, {eq(0, 40)}},
                 {{"socket"}, oci::SeccompAction::kTrap, {}, {eq(0, 3)}}};
  const OwnFilter own = OwnFilter::make(asked).value();
  const CallTable table({serving(SYS_read)}, {});
  const CallTable dangerous(
      {{SYS_unshare, kLayerRuntime, {}}, {SYS_socket, kLayerRuntime, {{eq(0, 40)}}}}, {});
  const CallTable listed({{SYS_keyctl, kLayerRuntime, {}}}, {});
  const LoadedFilter filter(
      complement_form(table, own, {.listed = listed, .dangerous = dangerous, .signals = true}));
  EXPECT_EQ(filter.answer(SYS_mkdir, {}), (Answer{oci::SeccompAction::kKillProcess, 0}));
  EXPECT_EQ(filter.answer(SYS_socket, {3}), (Answer{oci::SeccompAction::kTrap, 0}));
  EXPECT_EQ(filter.answer(SYS_socket, {40}), kSeen);
  EXPECT_EQ(filter.answer(SYS_unshare, {}), kSeen);
  EXPECT_EQ(filter.answer(SYS_keyctl, {}), (Answer{oci::SeccompAction::kKillProcess, 0}));
  EXPECT_EQ(filter.answer(SYS_getpid, {}), kSeen) << "the own filter allows it";
  EXPECT_EQ(filter.answer(SYS_quotactl, {}), kSeen) << "no signal";
  const LoadedFilter all_seen(
      complement_form(table, own, {.listed = listed, .dangerous = dangerous}));
  EXPECT_EQ(all_seen.answer(SYS_mkdir, {}), kSeen);
}

TEST(OwnFilter, ConditionsOnOneIndexAreAlternativesAsTheRuntimeLoadsThem) {
  oci::Seccomp asked;
  asked.default_action = oci::SeccompAction::kErrno;
  asked.rules = {{{"socket"},
                  oci::SeccompAction::kAllow,
                  {},
                  {{0, 38, 0, oci::CompareOp::kNe}, {0, 40, 0, oci::CompareOp::kNe}}}};
  const LoadedFilter loaded(asked);
  EXPECT_EQ(loaded.answer(SYS_socket, {38}), kAllowed)
      << "two 'not equal' on one index allow everything";
  EXPECT_EQ(OwnFilter::make(asked)->verdict(SYS_socket, {38}), kAllowed);
}

TEST(ComplementForm, ManyValuesStillMakeAProgramTheKernelTakes) {
  std::vector<CallRule> rules;
  for (const int nr :
       {SYS_ioctl, SYS_fcntl, SYS_prctl, SYS_setsockopt, SYS_socket, SYS_mmap, SYS_mprotect}) {
    std::vector<Conjunction> values;
    for (std::uint64_t i = 1; i <= 32; ++i) values.push_back({eq(1, i * 0x1234567)});
    rules.push_back(serving(nr, values));
  }
  const CallTable table(rules, {});
  const LoadedFilter filter(complement_form(table, {}));
  EXPECT_LT(filter.instructions(), 4096U);
  EXPECT_EQ(filter.answer(SYS_ioctl, {0, 5}), kSeen);
}

// Filters as clients send them, together with a table that allows some of what they do.
TEST(Golden, I2_DefaultFiltersOfRealClientsAreIntersected) {
  for (const char* file : {"containerd-default.json", "docker-like.json"}) {
    const auto text = read_file(std::filesystem::path("tests/golden/seccomp") / file);
    ASSERT_TRUE(text) << text.error().message;
    const auto asked = oci::seccomp_from_json(*text);
    ASSERT_TRUE(asked) << asked.error().message;
    const OwnFilter own = OwnFilter::make(*asked).value();
    const LoadedFilter own_loaded(*asked);
    const CallTable table(
        {serving(SYS_read), serving(SYS_personality), serving(SYS_mount), serving(SYS_futex),
         serving(SYS_socket, {{eq(0, 1)}, {eq(0, 2), masked(1, 0xf, 1)}, {eq(0, 38)}, {eq(0, 41)}}),
         serving(SYS_clone, {{eq(0, 0x1200011)}, {eq(0, 0x3d0f00)}, {eq(0, 0x10000000)}})},
        {});
    const LoadedFilter filter(complement_form(table, own));
    EXPECT_LT(filter.instructions(), 2000U) << file;
    EXPECT_EQ(filter.answer(SYS_read, {}), kAllowed);
    EXPECT_EQ(filter.answer(SYS_socket, {1, 5}), kAllowed) << file;
    EXPECT_EQ(filter.answer(SYS_socket, {2, 0x80001}), kAllowed) << file;
    EXPECT_EQ(filter.answer(SYS_socket, {2, 3}), kSeen) << file;
    EXPECT_EQ(filter.answer(SYS_socket, {16, 3}), kSeen) << file;
    EXPECT_EQ(filter.answer(SYS_socket, {41, 3}), kAllowed) << file;
    EXPECT_EQ(filter.answer(SYS_clone, {0x1200011}), kAllowed) << file;
    EXPECT_EQ(filter.answer(SYS_clone, {0x10000000}), (Answer{oci::SeccompAction::kErrno, EPERM}))
        << file;
    EXPECT_EQ(filter.answer(SYS_clone, {0x40000000}), kSeen) << file;
    EXPECT_EQ(filter.answer(SYS_personality, {8}), kAllowed) << file;
    EXPECT_EQ(filter.answer(SYS_personality, {1}), (Answer{oci::SeccompAction::kErrno, EPERM}))
        << file;
    EXPECT_EQ(filter.answer(SYS_mount, {}), (Answer{oci::SeccompAction::kErrno, EPERM})) << file;
    for (int nr = 0; nr < 450; ++nr) {
      for (const std::uint64_t value :
           {0ULL, 1ULL, 8ULL, 38ULL, 39ULL, 40ULL, 41ULL, 0x10000000ULL, 0x1200011ULL}) {
        if (!oci::find_syscall_name(nr)) continue;
        EXPECT_EQ(own.verdict(nr, {value}), own_loaded.answer(nr, {value}))
            << file << " " << nr << " " << value;
      }
    }
  }
}

// Random tables and own filters over a few calls, judged at the places where conditions change.
class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::uint64_t below(std::uint64_t n) { return engine_() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  std::uint64_t value() {
    switch (below(4)) {
      case 0: return below(6);
      case 1: return 1ULL << below(64);
      case 2: return ~0ULL - below(3);
      default: return kInteresting[below(kInteresting.size())];
    }
  }
  oci::SeccompArg condition(std::uint32_t index, bool by_order = true) {
    auto op = static_cast<oci::CompareOp>(below(7));
    if (!by_order && op != oci::CompareOp::kNe)
      op = one_in(2) ? oci::CompareOp::kEq : oci::CompareOp::kMaskedEq;
    if (op != oci::CompareOp::kMaskedEq) return {index, value(), 0, op};
    const std::uint64_t mask = one_in(2) ? 0x7E020000ULL : value();
    // Bits outside of the mask make a condition that nothing satisfies.
    return {index, mask, one_in(8) ? value() : value() & mask, op};
  }
  Conjunction conjunction(bool repeat, bool by_order = true) {
    Conjunction conditions;
    for (std::uint32_t index = 0; index < 3; ++index) {
      if (one_in(2)) conditions.push_back(condition(index, by_order));
      if (repeat && one_in(6)) conditions.push_back(condition(index, by_order));
    }
    return conditions;
  }

 private:
  static constexpr std::array<std::uint64_t, 8> kInteresting = {
      0x7E020000,  0x1200011,     0x10000000, 0xffffffff,
      0x100000000, 0x1'0000'0001, 0x59616d61, 0x8000'0000'0000'0000};
  std::mt19937_64 engine_;
};

constexpr std::array<int, 6> kCalls = {SYS_socket, SYS_clone,  SYS_write,
                                       SYS_execve, SYS_clone3, SYS_prctl};

std::vector<CallRule> random_rules(Random& random) {
  std::vector<CallRule> rules;
  for (const int nr : kCalls) {
    for (std::uint64_t n = random.below(3); n > 0; --n) {
      CallRule rule{
          static_cast<std::uint32_t>(nr), static_cast<std::uint32_t>(random.below(16)), {}};
      for (std::uint64_t i = random.below(4); i > 0; --i)
        rule.alternatives.push_back(random.conjunction(true));
      rules.push_back(std::move(rule));
    }
  }
  return rules;
}

CallTable random_table(Random& random) {
  auto rules = random_rules(random);
  return {std::move(rules),
          random.one_in(4) ? std::vector<std::uint32_t>{SYS_prctl} : std::vector<std::uint32_t>{}};
}

oci::Seccomp random_seccomp(Random& random) {
  constexpr std::array<oci::SeccompAction, 7> kActions = {
      oci::SeccompAction::kAllow,     oci::SeccompAction::kAllow, oci::SeccompAction::kErrno,
      oci::SeccompAction::kLog,       oci::SeccompAction::kTrap,  oci::SeccompAction::kTrace,
      oci::SeccompAction::kKillThread};
  oci::Seccomp seccomp;
  seccomp.default_action = kActions[random.below(kActions.size())];
  for (const int nr : kCalls) {
    const oci::SeccompAction action = kActions[random.below(kActions.size())];
    // libseccomp itself hangs on some filters that compare by order on several arguments: those
    // cannot be an oracle.
    const bool by_order = random.one_in(4);
    for (std::uint64_t n = random.below(4); n > 0; --n) {
      oci::SeccompRule rule{{*oci::find_syscall_name(nr)}, action, {}, {}};
      if (random.one_in(3)) rule.action = kActions[random.below(kActions.size())];
      if (by_order) {
        rule.args = {random.condition(0)};
      } else if (!random.one_in(4)) {
        rule.args = random.conjunction(random.one_in(4), false);
      }
      seccomp.rules.push_back(std::move(rule));
    }
  }
  return seccomp;
}

std::string describe(unsigned seed, int nr, const CallArgs& args) {
  return "seed " + std::to_string(seed) + " nr " + std::to_string(nr) + " args " +
         std::to_string(args[0]) + " " + std::to_string(args[1]) + " " + std::to_string(args[2]);
}

TEST(Property, I2_NoFilterIsWiderThanTheTableOrTheOwnFilter) {
  int executed = 0;
  int demoted = 0;
  int refused = 0;
  for (unsigned seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    const CallTable table = random_table(random);
    const oci::Seccomp asked = random_seccomp(random);
    const bool has_own = !random.one_in(4);
    const auto loads = OwnFilter::make(asked);
    if (!loads) {  // one rule twice: no runtime would start such a container
      ++refused;
      continue;
    }
    const OwnFilter own = has_own ? *loads : OwnFilter();
    const LoadedFilter own_loaded(has_own ? asked : oci::Seccomp{});
    const oci::Seccomp made = complement_form(table, own);
    const LoadedFilter filter(made);
    ASSERT_LT(filter.instructions(), 4096U);
    for (const oci::SeccompRule& rule : made.rules) {
      ASSERT_NE(rule.action, oci::SeccompAction::kKillThread);
      std::array<int, 6> conditions{};
      for (const oci::SeccompArg& arg : rule.args)
        ASSERT_EQ(++conditions.at(arg.index), 1) << "the runtime would OR them";
    }
    for (int i = 0; i < 120; ++i) {
      const int nr = kCalls[random.below(kCalls.size())];
      CallArgs args{};
      for (std::size_t j = 0; j < 3; ++j)
        args[j] = random.value() + (random.one_in(3) ? random.below(3) - 1 : 0);
      const Answer got = filter.answer(nr, args);
      const Answer asked_for = own_loaded.answer(nr, args);
      const bool allowed = nr == SYS_write || table.allows(nr, args, kAllowedInServing);
      const Answer verdict = own.verdict(nr, args);
      const std::string what = describe(seed, nr, args);
      EXPECT_TRUE(asked_for.executes() || !verdict.executes())
          << what << ": judged wider than the kernel does";
      if (got.executes()) {
        ++executed;
        EXPECT_TRUE(allowed) << what;
        EXPECT_TRUE(asked_for.executes()) << what;
        EXPECT_TRUE(verdict.executes()) << what;
      }
      if (nr == SYS_execve && (!verdict.signals() || !allowed)) {
        EXPECT_EQ(got, kSeen) << what;
      } else if (nr == SYS_clone3 || table.answers_enosys(nr)) {
        EXPECT_FALSE(got.executes()) << what;
        EXPECT_NE(got.action, oci::SeccompAction::kNotify) << what;
      } else if (nr == SYS_write) {
        EXPECT_NE(got.action, oci::SeccompAction::kNotify) << what;
      } else if (!allowed) {
        EXPECT_EQ(got, kSeen) << what << ": a violation must be seen";
      } else if (got == kSeen) {
        ++demoted;
      } else if (verdict.executes()) {
        EXPECT_TRUE(got.executes()) << what << ": allowed by both";
      }
    }
  }
  EXPECT_LT(refused, 150);
  EXPECT_GT(executed, 2000);
  EXPECT_LT(demoted, executed) << "filters that cannot be expressed are the exception";
}

bool is_signal(const Answer& answer) {
  return answer.action == oci::SeccompAction::kKillProcess ||
         answer.action == oci::SeccompAction::kKillThread ||
         answer.action == oci::SeccompAction::kTrap;
}

TEST(Property, F01_I2_OnlyRefusalsThatNeedNotBeSeenAreUnseenAndNothingIsWidened) {
  int unseen_answers = 0;
  int demoted = 0;
  for (unsigned seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    const CallTable table = random_table(random);
    const Unseen unseen{CallTable(random_rules(random), {}), CallTable(random_rules(random), {}),
                        random.one_in(2)};
    const oci::Seccomp asked = random_seccomp(random);
    if (!testing::SeccompEvaluator::compile(asked)) continue;
    const auto loads = OwnFilter::make(asked);
    if (!loads) continue;  // no runtime would start such a container
    const OwnFilter& own = *loads;
    const LoadedFilter filter(complement_form(table, own, unseen));
    for (int i = 0; i < 120; ++i) {
      const int nr = kCalls[random.below(kCalls.size())];
      if (nr == SYS_write || nr == SYS_execve || nr == SYS_clone3 || table.answers_enosys(nr))
        continue;
      CallArgs args{};
      for (std::size_t j = 0; j < 3; ++j)
        args[j] = random.value() + (random.one_in(3) ? random.below(3) - 1 : 0);
      if (table.allows(nr, args, kAllowedInServing)) continue;
      const Answer got = filter.answer(nr, args);
      const Answer verdict = own.verdict(nr, args);
      const std::string what = describe(seed, nr, args);
      EXPECT_FALSE(got.executes()) << what;
      const bool may_be_unseen =
          !verdict.executes() &&
          (unseen.listed.allows(nr, args, ~0U) ||
           (unseen.signals && is_signal(verdict) && !unseen.dangerous.allows(nr, args, ~0U)));
      if (!may_be_unseen) {
        EXPECT_EQ(got, kSeen) << what;
      } else if (got == kSeen) {
        ++demoted;
      } else {
        ++unseen_answers;
        EXPECT_EQ(is_signal(got), is_signal(verdict)) << what;
      }
    }
  }
  EXPECT_GT(unseen_answers, 500);
  EXPECT_LT(demoted, unseen_answers);
}

}  // namespace
}  // namespace ward::filter
