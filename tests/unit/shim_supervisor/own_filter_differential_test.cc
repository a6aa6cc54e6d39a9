// SPDX-License-Identifier: Apache-2.0
// The container's own filter against what Ward makes of it: a random filter, loaded as runc loads it (the oracle of
// tests/support), and Ward's whole answer under a profile that allows everything: the filter in the kernel and, where
// that one notifies, the verdict. Never wider; the same answer but for the exceptions that are counted here.
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>

#include "lib/linux/bounded_child.h"
#include "lib/oci/seccomp_intersect.h"
#include "shim/supervisor/verdict.h"
#include "tests/support/random_filters.h"
#include "tests/support/seccomp_evaluator.h"

namespace ward::shim {
namespace {

constexpr std::size_t kQuestions = 150;  // of one filter
// So many filters are compared by one process; as many processes together do the ten thousand.
constexpr int kShards = 10;
constexpr int kFiltersOfShard = 1000;
constexpr int kFiltersOfShortShard = 20;

const std::vector<std::string> kCalls = {"socket", "clone",  "write",       "execve",  "clone3", "prctl",
                                         "ioctl",  "openat", "personality", "openat2", "getpid", "faccessat2"};

// What a caller meets, whoever answers: 'r' it runs, 'k' it is killed, 't' it gets SIGSYS, or an error number.
struct Met {
  char what = 'r';
  int error = 0;
  bool operator==(const Met&) const = default;
};

Met met(std::uint32_t raw) {
  const auto data = static_cast<int>(std::min<std::uint32_t>(raw & SECCOMP_RET_DATA, 4095));
  switch (raw & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG: return {};
    case SECCOMP_RET_ERRNO: return {'e', data};
    case SECCOMP_RET_TRACE: return {'e', ENOSYS};  // there is no tracer
    case SECCOMP_RET_TRAP: return {'t', 0};
    default: return {'k', 0};  // KILL_THREAD as KILL_PROCESS
  }
}

Met met(const Verdict& verdict) {
  if (verdict.effect == Effect::kContinue) return {};
  if (verdict.own_signal == OwnSignal::kKill) return {'k', 0};
  if (verdict.own_signal == OwnSignal::kTrap) return {'t', 0};
  return {'e', verdict.error_number};
}

struct Counts {
  int filters = 0, refused = 0, unfinished = 0, narrower = 0, wider = 0, other = 0;
  int notified = 0, asked = 0;
};

oci::CallTable everything() {
  std::vector<oci::CallRule> rules;
  for (const auto& [name, nr] : oci::known_syscalls()) {
    rules.push_back({static_cast<std::uint32_t>(nr), oci::kLayerServing, {}});
  }
  return {std::move(rules), {}};
}

class Comparison {
 public:
  explicit Comparison(std::uint64_t seed) : seed_(seed), random_(seed) {}

  void run(Counts& counts) {
    const oci::Seccomp asked = random_.filter(kCalls);
    ++counts.filters;
    // The oracle first: where it does not come back Ward's compiler does not either, and both are the same library.
    const auto bounded = run_in_bounded_child(
        [&] { return testing::SeccompEvaluator::compile(asked) ? std::string("y") : std::string("n"); }, Bounds{});
    if (!bounded) {
      ++counts.unfinished;
      return;
    }
    const auto own = oci::OwnFilter::make(asked);
    const auto stock = testing::SeccompEvaluator::compile(asked);
    const bool notifies = std::any_of(asked.rules.begin(), asked.rules.end(), [](const oci::SeccompRule& rule) {
      return rule.action == oci::SeccompAction::kNotify;
    });
    if (!own || !stock || notifies) {
      // A rule may be refused for a foreign architecture alone, of which Ward makes no program.
      EXPECT_TRUE(notifies || !stock) << "seed " << seed_ << ": refused, and no runtime does: " << own.error().message;
      ++counts.refused;
      return;
    }
    const auto ward = testing::SeccompEvaluator::compile(oci::complement_form(all_, *own));
    ASSERT_TRUE(ward) << "seed " << seed_ << ": " << ward.error().message;
    ASSERT_LT(ward->instructions(), 4096U);
    compare(*own, *stock, *ward, counts);
  }

 private:
  void compare(const oci::OwnFilter& own, const testing::SeccompEvaluator& stock, const testing::SeccompEvaluator& ward,
               Counts& counts) {
    bool narrower = false;
    for (std::size_t i = 0; i < kQuestions; ++i) {
      const int nr = number();
      const oci::CallArgs args = random_.arguments();
      const Met expected = met(stock.evaluate(nr, args));
      const std::uint32_t raw = ward.evaluate(nr, args);
      const bool notified = (raw & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF;
      const Met got = notified ? met(verdict(own, nr, args)) : met(raw);
      ++counts.asked;
      counts.notified += notified ? 1 : 0;
      if (got == expected || is_listed(nr, got)) continue;
      const std::string what = "seed " + std::to_string(seed_) + " nr " + std::to_string(nr) + " args " +
                               std::to_string(args[0]) + " " + std::to_string(args[1]) + ": " + expected.what +
                               std::to_string(expected.error) + " became " + got.what + std::to_string(got.error) +
                               (notified ? " (notified)" : "");
      if (got.what == 'r') {
        ++counts.wider;
        ADD_FAILURE() << what << ": wider";
      } else if (notified) {
        ++counts.other;
        ADD_FAILURE() << what;
      } else {
        if (!narrower && counts.narrower < 20) std::printf("narrower: %s\n", what.c_str());
        narrower = true;
      }
    }
    counts.narrower += narrower ? 1 : 0;
  }

  int number() {
    if (random_.below(12) == 0) return static_cast<int>(random_.below(700));
    return *oci::find_syscall(kCalls[random_.below(kCalls.size())]);
  }

  // docs/profile-format.md, "What a container's own filter means".
  static bool is_listed(int nr, const Met& got) {
    const bool no_such_call = got == Met{'e', ENOSYS};
    if (nr == SYS_clone3) return no_such_call;
    // The kernel has no such call either, or none that this libseccomp has a name for.
    if (!oci::find_syscall_name(nr)) return no_such_call;
    return nr == SYS_write && got == Met{'e', EPERM};  // cannot be notified
  }

  [[nodiscard]] Verdict verdict(const oci::OwnFilter& own, int nr, const oci::CallArgs& args) const {
    const oci::CallTable none;
    const ActionSet actions;
    Question question;
    question.phase = Phase::kServing;
    question.arch = oci::native_audit_arch();
    question.nr = nr;
    question.args = args;
    return decide(question, {all_, own, none, actions});
  }

  const std::uint64_t seed_;
  testing::RandomFilters random_;
  const oci::CallTable all_ = everything();
};

class OwnFilterDifferential : public ::testing::TestWithParam<int> {};

TEST_P(OwnFilterDifferential, I12_F02_F03_F04_ARandomFilterMeansWhatRuncLoads) {
  const bool all = std::getenv("WARD_TEST_LONG") != nullptr;
  const int filters = all ? kFiltersOfShard : kFiltersOfShortShard;
  Counts counts;
  for (int i = 0; i < filters; ++i) {
    Comparison(static_cast<std::uint64_t>(GetParam()) * 1'000'000 + static_cast<std::uint64_t>(i)).run(counts);
  }
  std::printf("%d filters: %d refused by both, %d not finished by libseccomp, %d narrower; %d of %d calls notified\n",
              counts.filters, counts.refused, counts.unfinished, counts.narrower, counts.notified, counts.asked);
  EXPECT_EQ(counts.wider, 0);
  EXPECT_EQ(counts.other, 0);
  EXPECT_LE(counts.narrower * 100, counts.filters) << "what libseccomp gets wrong of Ward's own rules";
  EXPECT_LT(counts.refused * 2, counts.filters) << "a comparison of what is refused compares little";
}

INSTANTIATE_TEST_SUITE_P(Shards, OwnFilterDifferential, ::testing::Range(0, kShards));

}  // namespace
}  // namespace ward::shim
