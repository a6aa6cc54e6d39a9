// SPDX-License-Identifier: Apache-2.0
// The filter of both judges. The default denies: as the own filter does where it denies numbers
// without a name, else ENOSYS, so that libc falls back from calls newer than Ward. Every other
// answer is spelt out: K1 to K7.
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "profiles/filter/argument_space.h"
#include "profiles/filter/seccomp_intersect.h"

namespace ward::filter {
namespace {

constexpr Answer kNotSeen{oci::SeccompAction::kErrno, ENOSYS};
constexpr Answer kSeen{oci::SeccompAction::kNotify, 0};
constexpr std::uint32_t kAnyLayer = ~0U;

// A program of the kernel holds 4096 instructions (BPF_MAXINSNS). Unconditional rules take one
// each; a condition up to seven. Beyond these limits a call is notified whatever its arguments, and
// decided in user space.
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
  Answer fallback;            // for the whole call
  bool signals = false;       // among the pieces there are signals of the own filter
  bool only_signals = false;  // all other pieces have the fallback already
  [[nodiscard]] std::size_t conditions() const {
    std::size_t n = 0;
    for (const Piece& piece : pieces) n += piece.conditions.size();
    return n;
  }
  void fall_back() {
    pieces = {{{}, fallback}};
    signals = only_signals = false;
  }
};

// What the runtime can load: KILL_THREAD leaves half-dead processes (K4), NOTIFY has one meaning
// here.
Answer carried(const Answer& own) {
  if (own.action == oci::SeccompAction::kKillThread) return {oci::SeccompAction::kKillProcess, 0};
  if (own.action == oci::SeccompAction::kNotify) return {oci::SeccompAction::kErrno, EPERM};
  return own;
}

// What one table says of one call, as conditions among those of all judges.
class Share {
 public:
  // Appends to `all`. Anything in one of the layers.
  Share(const CallTable& table, int nr, std::uint32_t layers, std::vector<Conjunction>& all)
      : first_(all.size()) {
    for (const CallRule& rule : table.rules_of(nr)) {
      if ((rule.layers & layers) == 0) continue;
      if (rule.alternatives.empty()) always_ = true;
      std::copy_if(rule.alternatives.begin(), rule.alternatives.end(), std::back_inserter(all),
                   indexes_are_valid);
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
    return std::all_of(conditions.begin(), conditions.end(),
                       [](const oci::SeccompArg& c) { return c.index < 6; });
  }

  bool always_ = false;
  std::size_t first_;
  std::size_t end_ = 0;
};

class Judge {
 public:
  Judge(const CallTable& table, const OwnFilter& own, const Unseen& unseen,
        const Answer& by_default)
      : table_(table), own_(own), unseen_(unseen), by_default_(by_default) {}

  [[nodiscard]] Judged judge(int nr, std::string name) {
    Judged judged{nr, std::move(name), {}, kSeen};
    // The runtime has to write the listener's number to its parent: NOTIFY there would hang it
    // (K1).
    if (nr == SYS_write) judged.fallback = {oci::SeccompAction::kErrno, EPERM};
    if (enosys(nr)) judged.fallback = kNotSeen;
    cut(judged, false);
    return judged;
  }

  // Gives up all pieces but those of signals: a signal cannot be sent in the kernel's place.
  void keep_only_signals(Judged& judged) { cut(judged, true); }

 private:
  [[nodiscard]] bool enosys(int nr) const { return nr == SYS_clone3 || table_.answers_enosys(nr); }

  void cut(Judged& judged, bool only_signals) {
    const int nr = judged.nr;
    judged.fall_back();
    const auto own_rules = own_.rules_of(nr);
    const bool may_signal =
        own_rules && std::any_of(own_rules->begin(), own_rules->end(),
                                 [](const OwnFilter::Rule& rule) { return rule.answer.signals(); });
    const bool signals = unseen_.signals && may_signal;
    std::vector<Conjunction> conjunctions;
    const Share allows(nr == SYS_write ? write_ : table_, nr, kAllowedInServing, conjunctions);
    const Share lists(unseen_.listed, nr, kAnyLayer, conjunctions);
    const Share endangers(signals ? unseen_.dangerous : nothing_, nr, kAnyLayer, conjunctions);
    const std::size_t first_own = conjunctions.size();
    const bool asked = !allows.says_nothing() || !lists.says_nothing() || signals || enosys(nr);
    if (!asked || !own_rules) return;
    for (const OwnFilter::Rule& rule : *own_rules) conjunctions.push_back(rule.conditions);
    const auto answer = [&](const std::vector<bool>& held) {
      const Answer own = OwnFilter::strictest(*own_rules, held, first_own);
      if (enosys(nr)) return own.signals() ? carried(own) : kNotSeen;
      // The start of every program is seen (shim/supervisor/session.h).
      const bool starts_a_program = nr == SYS_execve || nr == SYS_execveat;
      if (starts_a_program && !own.signals()) return kSeen;
      if (allows.holds(held)) return own.executes() ? own : carried(own);
      const bool unseen = lists.holds(held) || (signals && own.signals() && !endangers.holds(held));
      return unseen && !own.executes() ? carried(own) : kSeen;
    };
    const auto label = [&](const std::vector<bool>& held) {
      const Answer answered = answer(held);
      return only_signals && !answered.signals() ? judged.fallback : answered;
    };
    const auto settled = [&](const std::vector<bool>& held) -> std::optional<Answer> {
      if (enosys(nr) || signals || allows.holds(held) || lists.holds(held)) return std::nullopt;
      return kSeen;
    };
    auto pieces = divide(conjunctions, label, settled);
    if (!pieces) return may_signal && !only_signals ? cut(judged, true) : void();
    judged.pieces = *std::move(pieces);
    judged.only_signals = only_signals;
    judged.signals = std::any_of(judged.pieces.begin(), judged.pieces.end(),
                                 [](const Piece& piece) { return piece.label.signals(); });
  }

  std::optional<std::vector<Piece>> divide(
      const std::vector<Conjunction>& conjunctions,
      const std::function<Answer(const std::vector<bool>&)>& label,
      const std::function<std::optional<Answer>(const std::vector<bool>&)>& settled) {
    if (conjunctions.size() > kMaxConjunctionsOfOneCall) return std::nullopt;
    const std::size_t share = std::min(work_.left(), kMaxWorkOfOneCall);
    WorkBudget budget(share);
    auto pieces = partition(conjunctions, label, settled, kMaxPiecesOfOneCall, budget, by_default_);
    work_.spend(share - budget.left());
    return pieces;
  }

  const CallTable& table_;
  const OwnFilter& own_;
  const Unseen& unseen_;
  const Answer by_default_;
  const CallTable write_{{{SYS_write, kLayerServing, {}}}, {}};
  const CallTable nothing_;
  WorkBudget work_{kMaxWork};
};

// The most expensive calls lose their filters until the program fits: those without signals first,
// then what is beside the signals, then these.
void fit(std::vector<Judged>& all, Judge& judge) {
  std::size_t total = 0;
  for (const Judged& judged : all) total += judged.conditions();
  const auto dearer = [](const Judged& a, const Judged& b) {
    const auto order = [](const Judged& judged) {
      const int turn = judged.conditions() == 0 ? 0
                       : !judged.signals        ? 3
                       : !judged.only_signals   ? 2
                                                : 1;
      return std::pair(turn, judged.conditions());
    };
    return order(a) < order(b);
  };
  while (total > kMaxConditions) {
    Judged& worst = *std::max_element(all.begin(), all.end(), dearer);
    total -= worst.conditions();
    if (worst.signals && !worst.only_signals) {
      judge.keep_only_signals(worst);
    } else {
      worst.fall_back();
    }
    total += worst.conditions();
  }
}

// Calls with one answer for all arguments share a rule.
void add_unconditional(const Judged& judged, const Answer& answer,
                       std::vector<oci::SeccompRule>& rules) {
  const auto same = [&](const oci::SeccompRule& rule) {
    return rule.args.empty() && rule.action == answer.action &&
           rule.errno_ret.value_or(0) == answer.errno_ret;
  };
  auto found = std::find_if(rules.begin(), rules.end(), same);
  if (found == rules.end()) {
    oci::SeccompRule rule{{}, answer.action, std::nullopt, {}};
    if (carries_errno(answer.action)) rule.errno_ret = answer.errno_ret;
    found = rules.insert(rules.end(), std::move(rule));
  }
  found->names.push_back(judged.name);
}

}  // namespace

oci::Seccomp complement_form(const CallTable& table, const OwnFilter& own, const Unseen& unseen) {
  // Below the highest number named: above it the runtime's stub answers.
  int unnamed = 0;
  while (unnamed < kSyscallSearchEnd && oci::find_syscall_name(unnamed)) ++unnamed;
  const Answer own_default = own.verdict(unnamed, {});
  const Answer by_default = own_default.executes() ? kNotSeen : carried(own_default);
  Judge judge(table, own, unseen, by_default);
  std::vector<Judged> all;
  for (int nr = 0; nr < kSyscallSearchEnd; ++nr) {
    if (auto name = oci::find_syscall_name(nr)) all.push_back(judge.judge(nr, *std::move(name)));
  }
  fit(all, judge);
  oci::Seccomp seccomp;
  seccomp.default_action = by_default.action;
  if (carries_errno(by_default.action)) seccomp.default_errno_ret = by_default.errno_ret;
  seccomp.architectures = own.architectures();
  seccomp.flags = own.flags();
  // Not loaded, but the runtime's stub begins above the highest number named.
  const bool highest_is_named =
      std::any_of(all.back().pieces.begin(), all.back().pieces.end(),
                  [&](const Piece& piece) { return piece.label != by_default; });
  if (!highest_is_named)
    seccomp.rules.push_back({{all.back().name}, by_default.action, seccomp.default_errno_ret, {}});
  std::vector<oci::SeccompRule> filtered;
  for (const Judged& judged : all) {
    for (const Piece& piece : judged.pieces) {
      if (piece.label == by_default) continue;
      if (piece.conditions.empty()) {
        add_unconditional(judged, piece.label, seccomp.rules);
        continue;
      }
      oci::SeccompRule rule{{judged.name}, piece.label.action, std::nullopt, piece.conditions};
      if (carries_errno(piece.label.action)) rule.errno_ret = piece.label.errno_ret;
      filtered.push_back(std::move(rule));
    }
  }
  seccomp.rules.insert(seccomp.rules.end(), filtered.begin(), filtered.end());
  return seccomp;
}

}  // namespace ward::filter
