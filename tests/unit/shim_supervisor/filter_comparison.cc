// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/shim_supervisor/filter_comparison.h"

#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>

#include "lib/linux/bounded_child.h"
#include "profiles/filter/runtime_filter.h"
#include "profiles/filter/seccomp_intersect.h"
#include "profiles/filter/written_filter.h"
#include "shim/supervisor/verdict.h"

namespace ward::shim::supervisor {
namespace {

using testing::SeccompEvaluator;

// What a caller meets, whoever answers: 'r' it runs, 'k' it is killed, 't' it gets SIGSYS, or an
// error number.
struct Met {
  char what = 'r';
  int error = 0;
  bool operator==(const Met&) const = default;
};
constexpr Met kNoSuchCall{'e', ENOSYS};

Met met(std::uint32_t raw) {
  const auto data = static_cast<int>(std::min<std::uint32_t>(raw & SECCOMP_RET_DATA, 4095));
  switch (raw & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG: return {};
    case SECCOMP_RET_ERRNO: return {'e', data};
    case SECCOMP_RET_TRACE: return kNoSuchCall;  // there is no tracer
    case SECCOMP_RET_TRAP: return {'t', 0};
    default: return {'k', 0};
  }
}

Met met(const Verdict& verdict) {
  if (verdict.effect == Effect::kContinue) return {};
  if (verdict.own_signal == OwnSignal::kKill) return {'k', 0};
  if (verdict.own_signal == OwnSignal::kTrap) return {'t', 0};
  return {'e', verdict.error_number};
}

const filter::CallTable& everything() {
  static const filter::CallTable kAll = [] {
    std::vector<filter::CallRule> rules;
    for (const auto& [name, nr] : oci::known_syscalls()) {
      rules.push_back({static_cast<std::uint32_t>(nr), filter::kLayerServing, {}});
    }
    return filter::CallTable(std::move(rules), {});
  }();
  return kAll;
}

Met judged(const filter::OwnFilter& own, const Probe& probe) {
  const filter::CallTable none;
  const ActionSet actions;
  Question question;
  question.phase = Phase::kServing;
  question.arch = probe.arch;
  question.nr = probe.nr;
  question.args = probe.args;
  return met(decide(question, {everything(), own, none, actions}));
}

bool is_native(const Probe& probe) {
  constexpr int kX32Bit = 0x40000000;
  return probe.arch == oci::native_audit_arch() && (probe.nr & kX32Bit) == 0;
}

// Beyond the first: a runtime puts no stub before a filter of which it finds none.
bool names_no_call(const oci::Seccomp& filter) {
  return std::all_of(filter.rules.begin(), filter.rules.end(), [](const oci::SeccompRule& rule) {
    return std::all_of(rule.names.begin(), rule.names.end(), [](const std::string& name) {
      return oci::find_syscall(name).value_or(0) == 0;
    });
  });
}

// Which exception it is, if it is one. Nothing that runs is.
std::string exception_of(const oci::Seccomp& filter, const Probe& probe, const Met& stock,
                         const Met& ward) {
  if (ward.what == 'r') return {};
  if (!is_native(probe)) return ward.what == 'k' ? "calls of a foreign ABI, killed" : "";
  if (probe.nr == SYS_clone3) return ward == kNoSuchCall ? "clone3 answers ENOSYS" : "";
  if (probe.nr == SYS_write) return ward == Met{'e', EPERM} ? "write cannot be notified" : "";
  const bool unnamed = !oci::find_syscall_name(probe.nr);
  if (unnamed && stock.what == 'r')
    return ward == kNoSuchCall ? "run, but no profile can name them: ENOSYS" : "";
  // Under such a filter no program starts.
  if (unnamed && names_no_call(filter))
    return ward == kNoSuchCall ? "the filter names no call: ENOSYS" : "";
  return {};
}

// What admission writes for it.
oci::Seccomp as_admitted(const filter::OwnFilter& own) {
  oci::Seccomp filter = filter::complement_form(everything(), own);
  (void)filter::notify_what_is_written_wrong(filter, {});
  return filter;
}

class Comparison {
 public:
  Comparison(const Asked& asked, Differences& found) : asked_(asked), found_(found) {}

  void run(const std::function<Probe()>& probe, int probes) {
    ++found_.filters;
    // First in a child: where the oracle does not come back Ward's compiler does not either, for it
    // is the same library.
    const auto finished = run_in_bounded_child(
        [&] {
          return SeccompEvaluator::compile(asked_.filter, asked_.runtime) ? std::string("y")
                                                                          : std::string("n");
        },
        Bounds{.wall_time = std::chrono::seconds(20)});
    if (!finished) {
      ++found_.unfinished;
      return;
    }
    const auto stock = SeccompEvaluator::compile(asked_.filter, asked_.runtime);
    const auto own = filter::OwnFilter::make(
        asked_.filter, {.stub_where_unlisted = asked_.runtime.stub_where_unlisted});
    const auto ward = own && !filter::notifies(asked_.filter)
                          ? SeccompEvaluator::compile(as_admitted(*own), asked_.runtime)
                          : fail(Code::kInvalidArgument, own ? "it notifies" : own.error().message);
    if (!stock || !ward) {
      const bool both = !ward && (!stock || filter::notifies(asked_.filter));
      if (!both)
        fail_with_words(stock ? "refused: " + ward.error().message
                              : "taken, and this runtime refuses it");
      ++found_.refused;
      return;
    }
    if (ward->instructions() >= 4096U) fail_with_words("too large for a kernel");
    bool narrower = false;
    for (int i = 0; i < probes; ++i) narrower = ask(probe(), *own, *stock, *ward) || narrower;
    found_.narrower += narrower ? 1 : 0;
  }

 private:
  // True where libseccomp made something narrower of what Ward wrote.
  bool ask(const Probe& probe, const filter::OwnFilter& own, const SeccompEvaluator& stock,
           const SeccompEvaluator& ward) {
    const std::uint32_t stock_raw = stock.evaluate(probe.nr, probe.args, probe.arch);
    const std::uint32_t raw = ward.evaluate(probe.nr, probe.args, probe.arch);
    const bool notified = (raw & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF;
    const Met expected = met(stock_raw);
    const Met got = notified ? judged(own, probe) : met(raw);
    ++found_.asked;
    found_.notified += notified ? 1 : 0;
    if (got == expected) {
      count_sameness(expected, stock_raw, notified);
      return false;
    }
    if (const std::string listed = exception_of(asked_.filter, probe, expected, got);
        !listed.empty()) {
      ++found_.listed[listed];
      return false;
    }
    const std::string words =
        "nr " + std::to_string(probe.nr) + " arch " + std::to_string(probe.arch) + " args " +
        std::to_string(probe.args[0]) + " " + std::to_string(probe.args[1]) + ": " + expected.what +
        std::to_string(expected.error) + " became " + got.what + std::to_string(got.error) +
        (notified ? " (notified)" : "");
    // Ward's program is not asked where it notifies, and can only deny too much.
    if (!notified && got.what != 'r') {
      std::printf("narrower: %s %s\n", asked_.name.c_str(), words.c_str());
      return true;
    }
    fail_with_words(words);
    return false;
  }

  // The same to the caller, but for what it dies of.
  void count_sameness(const Met& same, std::uint32_t stock_raw, bool notified) {
    if (same.what == 'k' && notified) ++found_.listed["KILL in user space: SIGKILL"];
    if (same.what == 't' && notified)
      ++found_.listed["TRAP in user space: SIGSYS without the call"];
    if (same.what == 'k' && !notified &&
        (stock_raw & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_KILL_THREAD) {
      ++found_.listed["KILL_THREAD as KILL_PROCESS"];
    }
  }

  void fail_with_words(const std::string& words) {
    ++found_.wrong;
    ADD_FAILURE() << asked_.name << ": " << words;
  }

  const Asked& asked_;
  Differences& found_;
};

}  // namespace

Differences& Differences::operator+=(const Differences& other) {
  filters += other.filters;
  refused += other.refused;
  unfinished += other.unfinished;
  narrower += other.narrower;
  asked += other.asked;
  notified += other.notified;
  wrong += other.wrong;
  for (const auto& [name, number] : other.listed) listed[name] += number;
  return *this;
}

std::string Differences::text() const {
  std::string text = std::to_string(filters) + " filters: " + std::to_string(refused) +
                     " refused as by the runtime, " + std::to_string(unfinished) +
                     " not finished by libseccomp, " + std::to_string(narrower) +
                     " narrower by libseccomp's own error; " + std::to_string(asked) + " calls, " +
                     std::to_string(notified) + " notified, " + std::to_string(wrong) + " wrong";
  for (const auto& [name, number] : listed) text += "; " + name + ": " + std::to_string(number);
  return text;
}

void compare(const Asked& asked, const std::function<Probe()>& probe, int probes,
             Differences& found) {
  Comparison(asked, found).run(probe, probes);
}

}  // namespace ward::shim::supervisor
