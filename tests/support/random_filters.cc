// SPDX-License-Identifier: Apache-2.0
#include "tests/support/random_filters.h"

#include <array>

namespace ward::testing {

using oci::CompareOp;
using oci::SeccompAction;

std::uint64_t RandomFilters::value() {
  constexpr std::array<std::uint64_t, 8> kInteresting = {
      0x7E020000,  0x1200011,     0x10000000, 0xffffffff,
      0x100000000, 0x1'0000'0001, 0x59616d61, 0x8000'0000'0000'0000};
  switch (below(4)) {
    case 0:
    case 1: return below(6);
    case 2: return one_in(2) ? 1ULL << below(64) : ~0ULL - below(3);
    default: return kInteresting[below(kInteresting.size())];
  }
}

SeccompAction RandomFilters::action() {
  constexpr std::array<SeccompAction, 9> kActions = {
      SeccompAction::kAllow, SeccompAction::kAllow,      SeccompAction::kErrno,
      SeccompAction::kErrno, SeccompAction::kLog,        SeccompAction::kTrap,
      SeccompAction::kTrace, SeccompAction::kKillThread, SeccompAction::kKillProcess};
  return one_in(60) ? SeccompAction::kNotify : kActions[below(kActions.size())];
}

oci::SeccompArg RandomFilters::condition() {
  const auto index = static_cast<std::uint32_t>(one_in(3) ? below(6) : below(2));
  const auto op = static_cast<CompareOp>(below(7));
  if (op != CompareOp::kMaskedEq) return {index, value(), one_in(9) ? value() : 0, op};
  const std::uint64_t mask = one_in(2) ? 0x7E020000ULL : value();
  // Bits outside of the mask make a condition that nothing satisfies.
  return {index, mask, one_in(6) ? value() : value() & mask, op};
}

oci::SeccompRule RandomFilters::rule(const std::vector<std::string>& calls) {
  oci::SeccompRule rule;
  for (std::uint64_t n = 1 + below(3); n > 0; --n) rule.names.push_back(calls[below(calls.size())]);
  if (one_in(10)) rule.names.emplace_back("no_such_call");
  if (one_in(300)) rule.names.emplace_back("");
  rule.action = action();
  if (one_in(3)) rule.errno_ret = static_cast<std::uint32_t>(one_in(20) ? value() : below(120));
  for (std::uint64_t n = one_in(3) ? 0 : below(4); n > 0; --n) rule.args.push_back(condition());
  return rule;
}

oci::Seccomp RandomFilters::filter(const std::vector<std::string>& calls) {
  oci::Seccomp seccomp;
  seccomp.default_action = action();
  if (one_in(3)) seccomp.default_errno_ret = static_cast<std::uint32_t>(below(120));
  if (!one_in(4)) seccomp.architectures.emplace_back("SCMP_ARCH_X86_64");
  if (one_in(4)) seccomp.architectures.emplace_back("SCMP_ARCH_X86");
  if (one_in(4)) seccomp.architectures.emplace_back("SCMP_ARCH_X32");
  // Of other machines: one that fits into the same filter, one that does not, and what is none.
  if (one_in(20)) seccomp.architectures.emplace_back("SCMP_ARCH_AARCH64");
  if (one_in(60)) seccomp.architectures.emplace_back("SCMP_ARCH_S390X");
  if (one_in(60)) seccomp.architectures.emplace_back("SCMP_ARCH_x86");
  if (one_in(10)) seccomp.flags.emplace();
  if (one_in(20)) seccomp.flags = std::vector<std::string>{"SECCOMP_FILTER_FLAG_LOG"};
  if (one_in(40))
    seccomp.flags =
        std::vector<std::string>{"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"};
  if (one_in(60)) seccomp.flags = std::vector<std::string>{"SECCOMP_FILTER_FLAG_NONE"};
  for (std::uint64_t n = below(9); n > 0; --n) seccomp.rules.push_back(rule(calls));
  return seccomp;
}

filter::CallArgs RandomFilters::arguments() {
  filter::CallArgs args{};
  for (std::uint64_t& arg : args) {
    arg = value();
    if (one_in(3)) arg += below(3) - 1;
  }
  return args;
}

}  // namespace ward::testing
