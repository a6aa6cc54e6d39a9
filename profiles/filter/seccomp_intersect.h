// SPDX-License-Identifier: Apache-2.0
// Two judges of one system call and the filter that obeys both: a table of what is allowed, and the
// container's own filter. The filter has the complement form (K1): what is not allowed is named in
// NOTIFY rules, so that it is seen. Values in, values out; the same judges answer in user space for
// calls that were notified.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lib/oci/seccomp.h"
#include "profiles/filter/answer.h"
#include "profiles/filter/own_filter.h"

namespace ward::filter {

inline constexpr int kSyscallSearchEnd = 1024;  // above every number in use

inline constexpr std::uint32_t kLayerRuntime = 1U << 0U;
inline constexpr std::uint32_t kLayerBoot = 1U << 1U;
inline constexpr std::uint32_t kLayerServing = 1U << 2U;
inline constexpr std::uint32_t kLayerExec = 1U << 3U;

// The layers of which one must allow a call, by phase and origin. In the runtime phase the table is
// not asked.
inline constexpr std::uint32_t kAllowedInBoot = kLayerBoot | kLayerServing;
inline constexpr std::uint32_t kAllowedInServing = kLayerServing;
inline constexpr std::uint32_t kAllowedInExec = kLayerBoot | kLayerServing | kLayerExec;

struct CallRule {
  std::uint32_t nr = 0;
  std::uint32_t layers = 0;
  std::vector<Conjunction> alternatives;  // one must hold; empty: any arguments
};

// What is allowed. A call without a rule is not. Never changes, so copies share it: admission, the
// filter and the supervisor of a container judge by one and the same.
class CallTable {
 public:
  CallTable() = default;
  // In any order; several rules of one number are alternatives to each other, each in its layers.
  CallTable(std::vector<CallRule> rules, std::vector<std::uint32_t> enosys);

  // Allowed in at least one of `layers`. A number of the enosys list is never allowed.
  [[nodiscard]] bool allows(int nr, const CallArgs& args, std::uint32_t layers) const;
  // Allowed in one of `layers` with some arguments.
  [[nodiscard]] bool names(int nr, std::uint32_t layers) const;
  [[nodiscard]] bool answers_enosys(int nr) const;
  [[nodiscard]] std::vector<CallRule> rules_of(int nr) const;
  // What either allows; ENOSYS where both answer it.
  [[nodiscard]] CallTable united_with(const CallTable& other) const;

 private:
  // Flat, for a shim keeps several as long as its container lives: a vector for each alternative
  // would take three times as much, and lie scattered over pages that are otherwise given back.
  struct Rule {
    std::uint16_t nr = 0;
    std::uint8_t layers = 0;
    bool any_arguments = false;
    std::uint32_t first = 0, end = 0;  // its conditions
  };
  struct Condition {
    std::uint64_t value = 0, value_two = 0;
    std::uint8_t index = 0;
    std::uint8_t op = 0;  // oci::CompareOp
    bool last = false;    // of its alternative
    [[nodiscard]] oci::SeccompArg unpacked() const {
      return {index, value, value_two, static_cast<oci::CompareOp>(op)};
    }
  };
  struct Content {
    std::vector<Rule> rules;  // sorted by number
    std::vector<Condition> conditions;
    std::vector<std::uint32_t> enosys;  // sorted
  };

  static void add(const CallRule& rule, Content& content);
  static CallRule to_rule(const Rule& rule, const Content& content);
  static bool one_holds(const Rule& rule, const Content& content, const CallArgs& args);
  [[nodiscard]] std::span<const Rule> flat_rules_of(int nr) const;

  std::shared_ptr<const Content> content_;  // absent: empty
};

// Calls that the table does not allow, the own filter refuses, and the own filter itself answers in
// the kernel, where nobody sees them. All others of the kind are notified.
struct Unseen {
  CallTable listed = {};     // whatever the answer; layers say nothing
  CallTable dangerous = {};  // never, unless listed
  bool signals = false;      // where the answer is a signal, which only the kernel can give
};

// The filter to put in force. Never answers ALLOW or LOG where the table (layer serving) or the own
// filter does not; never NOTIFY for `write`, never KILL_THREAD; always NOTIFY or a signal for
// execve and execveat; ENOSYS without a notification for clone3 and the enosys list; numbers that
// libseccomp does not know answer what the own filter answers them, ENOSYS where it lets them run.
// Signals of the own filter are held in the kernel before everything else that takes room there.
// Listener path and metadata are the caller's.
oci::Seccomp complement_form(const CallTable& table, const OwnFilter& own,
                             const Unseen& unseen = {});

}  // namespace ward::filter
