// SPDX-License-Identifier: Apache-2.0
// The filter of both judges. Deny is the default (ENOSYS, so that libc falls back from calls newer than Ward), every
// other answer is spelt out: facts 1 to 7.
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "lib/oci/argument_space.h"
#include "lib/oci/seccomp_intersect.h"

namespace ward::oci {
namespace {

constexpr Answer kNotSeen{SeccompAction::kErrno, ENOSYS};
constexpr Answer kSeen{SeccompAction::kNotify, 0};
constexpr std::uint32_t kAnyLayer = ~0U;

// A program of the kernel holds 4096 instructions (BPF_MAXINSNS). Unconditional rules take one each; a condition up to
// seven. Beyond these limits a call is notified whatever its arguments, and decided in user space.
constexpr std::size_t kMaxPiecesOfOneCall = 96;
constexpr std::size_t kMaxConditions = 320;

// So many pieces are never worth their work: such a call is notified without looking for them.
constexpr std::size_t kMaxConjunctionsOfOneCall = 512;
// Looks at a condition: some ten milliseconds for one call, and five times that for all together,
// however hard the filter was written to be. A container's own filter is a tenant's, and the shim
// has one thread for all of a pod.
constexpr std::size_t kMaxWorkOfOneCall = 2'000'000;
constexpr std::size_t kMaxWork = 10'000'000;

struct Judged {
  int nr = 0;
  std::string name;
  std::vector<Piece> pieces;
  Answer fallback;  // for the whole call
  [[nodiscard]] std::size_t conditions() const {
    std::size_t n = 0;
    for (const Piece& piece : pieces) n += piece.conditions.size();
    return n;
  }
};

// What the runtime can load: KILL_THREAD leaves half-dead processes (fact 4), NOTIFY has one meaning here.
Answer carried(const Answer& own) {
  if (own.action == SeccompAction::kKillThread) return {SeccompAction::kKillProcess, 0};
  if (own.action == SeccompAction::kNotify) return {SeccompAction::kErrno, EPERM};
  return own;
}

bool answers_with_a_signal(const Answer& answer) {
  return answer.action == SeccompAction::kKillProcess || answer.action == SeccompAction::kKillThread ||
         answer.action == SeccompAction::kTrap;
}

// What one table says of one call, as conditions among those of all judges.
class Share {
 public:
  // Appends to `all`. Anything in one of the layers.
  Share(const CallTable& table, int nr, std::uint32_t layers, std::vector<Conjunction>& all) : first_(all.size()) {
    for (const CallRule& rule : table.rules_of(nr)) {
      if ((rule.layers & layers) == 0) continue;
      if (rule.alternatives.empty()) always_ = true;
      std::copy_if(rule.alternatives.begin(), rule.alternatives.end(), std::back_inserter(all), indexes_are_valid);
    }
    if (always_) all.resize(first_);
    end_ = all.size();
  }

  [[nodiscard]] bool says_nothing() const { return !always_ && first_ == end_; }
  [[nodiscard]] bool holds(const std::vector<bool>& held) const {
    const auto at = [&](std::size_t i) { return held.begin() + static_cast<std::ptrdiff_t>(i); };
    return always_ || std::find(at(first_), at(end_), true) != at(end_);
  }

 private:
  static bool indexes_are_valid(const Conjunction& conditions) {
    return std::all_of(conditions.begin(), conditions.end(), [](const SeccompArg& c) { return c.index < 6; });
  }

  bool always_ = false;
  std::size_t first_;
  std::size_t end_ = 0;
};

class Judge {
 public:
  Judge(const CallTable& table, const OwnFilter& own, const Unseen& unseen)
      : table_(table), own_(own), unseen_(unseen) {}

  [[nodiscard]] Judged judge(int nr, std::string name) {
    Judged judged{nr, std::move(name), {}, kSeen};
    if (nr == SYS_execve || nr == SYS_execveat) {
      judged.pieces = {{{}, kSeen}};
      return judged;
    }
    // The runtime has to write the listener's number to its parent: NOTIFY there would hang it (fact 1).
    if (nr == SYS_write) judged.fallback = {SeccompAction::kErrno, EPERM};
    if (enosys(nr)) judged.fallback = kNotSeen;
    const std::vector<OwnFilter::Rule> own_rules = own_.rules_of(nr);
    const bool signals = unseen_.signals && may_signal(own_rules);
    std::vector<Conjunction> conjunctions;
    const Share allows(nr == SYS_write ? write_ : table_, nr, kAllowedInServing, conjunctions);
    const Share lists(unseen_.listed, nr, kAnyLayer, conjunctions);
    const Share endangers(signals ? unseen_.dangerous : nothing_, nr, kAnyLayer, conjunctions);
    const std::size_t first_own = conjunctions.size();
    if (allows.says_nothing() && lists.says_nothing() && !signals && !enosys(nr)) {
      judged.pieces = {{{}, kSeen}};
      return judged;
    }
    for (const OwnFilter::Rule& rule : own_rules) conjunctions.push_back(rule.conditions);
    const auto label = [&](const std::vector<bool>& held) {
      const Answer own = own_.strictest(own_rules, held, first_own);
      if (enosys(nr)) return answers_with_a_signal(own) ? carried(own) : kNotSeen;
      if (allows.holds(held)) return own.executes() ? own : carried(own);
      const bool unseen = lists.holds(held) || (signals && answers_with_a_signal(own) && !endangers.holds(held));
      return unseen && !own.executes() ? carried(own) : kSeen;
    };
    const auto settled = [&](const std::vector<bool>& held) -> std::optional<Answer> {
      if (enosys(nr) || signals || allows.holds(held) || lists.holds(held)) return std::nullopt;
      return kSeen;
    };
    judged.pieces = cut(conjunctions, label, settled).value_or(std::vector<Piece>{{{}, judged.fallback}});
    return judged;
  }

 private:
  [[nodiscard]] bool enosys(int nr) const { return nr == SYS_clone3 || table_.answers_enosys(nr); }

  [[nodiscard]] bool may_signal(const std::vector<OwnFilter::Rule>& rules) const {
    return answers_with_a_signal(own_.default_answer()) ||
           std::any_of(rules.begin(), rules.end(),
                       [](const OwnFilter::Rule& rule) { return answers_with_a_signal(rule.answer); });
  }

  std::optional<std::vector<Piece>> cut(const std::vector<Conjunction>& conjunctions,
                                        const std::function<Answer(const std::vector<bool>&)>& label,
                                        const std::function<std::optional<Answer>(const std::vector<bool>&)>& settled) {
    if (conjunctions.size() > kMaxConjunctionsOfOneCall) return std::nullopt;
    const std::size_t share = std::min(work_.left(), kMaxWorkOfOneCall);
    WorkBudget budget(share);
    auto pieces = partition(conjunctions, label, settled, kMaxPiecesOfOneCall, budget);
    work_.spend(share - budget.left());
    return pieces;
  }

  const CallTable& table_;
  const OwnFilter& own_;
  const Unseen& unseen_;
  const CallTable write_{{{SYS_write, kLayerServing, {}}}, {}};
  const CallTable nothing_;
  WorkBudget work_{kMaxWork};
};

// The most expensive calls lose their filters until the program fits.
void fit(std::vector<Judged>& all) {
  std::size_t total = 0;
  for (const Judged& judged : all) total += judged.conditions();
  while (total > kMaxConditions) {
    auto worst = std::max_element(all.begin(), all.end(),
                                  [](const Judged& a, const Judged& b) { return a.conditions() < b.conditions(); });
    total -= worst->conditions();
    worst->pieces = {{{}, worst->fallback}};
  }
}

// Calls with one answer for all arguments share a rule.
void add_unconditional(const Judged& judged, const Answer& answer, std::vector<SeccompRule>& rules) {
  const auto same = [&](const SeccompRule& rule) {
    return rule.args.empty() && rule.action == answer.action && rule.errno_ret.value_or(0) == answer.errno_ret;
  };
  auto found = std::find_if(rules.begin(), rules.end(), same);
  if (found == rules.end()) {
    SeccompRule rule{{}, answer.action, std::nullopt, {}};
    if (carries_errno(answer.action)) rule.errno_ret = answer.errno_ret;
    found = rules.insert(rules.end(), std::move(rule));
  }
  found->names.push_back(judged.name);
}

}  // namespace

Seccomp complement_form(const CallTable& table, const OwnFilter& own, const Unseen& unseen) {
  Judge judge(table, own, unseen);
  std::vector<Judged> all;
  for (int nr = 0; nr < kSyscallSearchEnd; ++nr) {
    if (auto name = find_syscall_name(nr)) all.push_back(judge.judge(nr, *std::move(name)));
  }
  fit(all);
  Seccomp seccomp;
  seccomp.default_action = kNotSeen.action;
  seccomp.default_errno_ret = kNotSeen.errno_ret;
  seccomp.architectures = {native_scmp_arch()};
  std::vector<SeccompRule> filtered;
  for (const Judged& judged : all) {
    for (const Piece& piece : judged.pieces) {
      if (piece.label == kNotSeen) continue;  // the default says it
      if (piece.conditions.empty()) {
        add_unconditional(judged, piece.label, seccomp.rules);
        continue;
      }
      SeccompRule rule{{judged.name}, piece.label.action, std::nullopt, piece.conditions};
      if (carries_errno(piece.label.action)) rule.errno_ret = piece.label.errno_ret;
      filtered.push_back(std::move(rule));
    }
  }
  seccomp.rules.insert(seccomp.rules.end(), filtered.begin(), filtered.end());
  return seccomp;
}

}  // namespace ward::oci
