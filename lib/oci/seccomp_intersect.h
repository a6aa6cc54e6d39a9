// SPDX-License-Identifier: Apache-2.0
// Two judges of one system call and the filter that obeys both: a table of what is allowed, and the container's own
// seccomp configuration. The filter has the complement form (fact 1): what is not allowed is named in NOTIFY rules, so
// that it is seen. Values in, values out; the same judges answer in user space for calls that were notified.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/oci/seccomp.h"

namespace ward::oci {

inline constexpr int kSyscallSearchEnd = 1024;  // above every number in use

using CallArgs = std::array<std::uint64_t, 6>;

inline constexpr std::uint32_t kLayerRuntime = 1U << 0U;
inline constexpr std::uint32_t kLayerBoot = 1U << 1U;
inline constexpr std::uint32_t kLayerServing = 1U << 2U;
inline constexpr std::uint32_t kLayerExec = 1U << 3U;

// The layers of which one must allow a call, by phase and origin. In the runtime phase the table is not asked.
inline constexpr std::uint32_t kAllowedInBoot = kLayerBoot | kLayerServing;
inline constexpr std::uint32_t kAllowedInServing = kLayerServing;
inline constexpr std::uint32_t kAllowedInExec = kLayerBoot | kLayerServing | kLayerExec;

using Conjunction = std::vector<SeccompArg>;  // all must hold; here several on one index are AND'ed

struct CallRule {
  std::uint32_t nr = 0;
  std::uint32_t layers = 0;
  std::vector<Conjunction> alternatives;  // one must hold; empty: any arguments
};

// What is allowed. A call without a rule is not.
class CallTable {
 public:
  CallTable() = default;
  // In any order; several rules of one number are alternatives to each other, each in its layers.
  CallTable(std::vector<CallRule> rules, std::vector<std::uint32_t> enosys);

  // Allowed in at least one of `layers`. A number of the enosys list is never allowed.
  [[nodiscard]] bool allows(int nr, const CallArgs& args, std::uint32_t layers) const;
  [[nodiscard]] bool answers_enosys(int nr) const;
  [[nodiscard]] std::vector<CallRule> rules_of(int nr) const;

 private:
  std::vector<CallRule> rules_;        // sorted by number
  std::vector<std::uint32_t> enosys_;  // sorted
};

// Does the action bring a number along?
constexpr bool carries_errno(SeccompAction action) {
  return action == SeccompAction::kErrno || action == SeccompAction::kTrace;
}

// What a filter answers to one call.
struct Answer {
  SeccompAction action = SeccompAction::kAllow;
  std::uint32_t errno_ret = 0;  // of kErrno and kTrace, as it is loaded: 16 bits
  [[nodiscard]] bool executes() const { return action == SeccompAction::kAllow || action == SeccompAction::kLog; }
  // What the caller of a call that does not execute is told, 0 to 4095: what the kernel makes of
  // such an answer. 0 is "it went well", although nothing ran. Where the kernel would send a signal
  // instead, EPERM.
  [[nodiscard]] int error_number() const;
  bool operator==(const Answer&) const = default;
};

// The container's own filter, native architecture, as the runtime would load it. Where rules overlap, the strictest
// answer counts: never wider than what the kernel would say. Making one and asking it costs bounded
// work, whatever the filter: of a call with more rules than any program of the kernel holds, only
// the strictest answer is kept.
class OwnFilter {
 public:
  struct Rule {
    std::uint32_t nr = 0;
    Answer answer;
    Conjunction conditions;
  };

  OwnFilter() = default;  // there is none: everything is allowed
  explicit OwnFilter(const Seccomp& seccomp);

  [[nodiscard]] bool present() const { return present_; }
  [[nodiscard]] Answer verdict(int nr, const CallArgs& args) const;
  [[nodiscard]] const Answer& default_answer() const { return default_; }
  // Numbers of the calls with too many rules to keep, sorted.
  [[nodiscard]] const std::vector<std::uint32_t>& crowded() const { return crowded_; }
  [[nodiscard]] std::vector<Rule> rules_of(int nr) const;
  // The answer where of `rules` those hold whose flag, counted from `first`, is set.
  [[nodiscard]] Answer strictest(const std::vector<Rule>& rules, const std::vector<bool>& held,
                                 std::size_t first) const;

 private:
  void take_rules(const Seccomp& seccomp);
  void distrust_order();

  bool present_ = false;
  Answer default_;
  std::vector<Rule> rules_;  // sorted by number
  std::vector<std::uint32_t> crowded_;
};

// Why no runtime loads this filter: libseccomp takes no error number of which the low 16 bits are
// 4095 or more. What the runtime itself would say of it names another reason.
Result<void> check_error_numbers(const Seccomp& seccomp);

// Of the calls that the table does not allow and the own filter refuses: which the own filter
// answers within the kernel, where nobody sees them. All others are notified.
struct Unseen {
  CallTable listed = {};     // whatever the answer; layers say nothing
  CallTable dangerous = {};  // never, unless listed
  bool signals = false;      // where the answer is a signal, which only the kernel can give
};

// The filter to put in force. Never answers ALLOW or LOG where the table (layer serving) or the own filter does not;
// never NOTIFY for `write`, never KILL_THREAD; always NOTIFY for execve and execveat; ENOSYS without a notification for
// clone3, the enosys list and every number that libseccomp does not know. Listener path and metadata are the caller's.
Seccomp complement_form(const CallTable& table, const OwnFilter& own, const Unseen& unseen = {});

}  // namespace ward::oci
