// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/phase.h"

#include <algorithm>

namespace ward::shim::supervisor {
namespace {

constexpr std::chrono::nanoseconds kDefaultQuiet = std::chrono::seconds(10);
constexpr std::chrono::nanoseconds kDefaultLatest = std::chrono::minutes(5);

std::int64_t or_default(std::chrono::nanoseconds value, std::chrono::nanoseconds fallback) {
  return (value.count() > 0 ? value : fallback).count();
}

}  // namespace

PhaseTracker::PhaseTracker(Origin origin, std::chrono::nanoseconds quiet,
                           std::chrono::nanoseconds latest)
    : origin_(origin),
      quiet_ns_(or_default(quiet, kDefaultQuiet)),
      latest_ns_(or_default(latest, kDefaultLatest)) {}

void PhaseTracker::execve_continued(std::int64_t now_ns) {
  if (phase_ != Phase::kRuntime) return;
  phase_ = origin_ == Origin::kExec ? Phase::kExec : Phase::kBoot;
  boot_began_ns_ = now_ns;
  last_boot_call_ns_ = now_ns;
}

void PhaseTracker::boot_call_seen(std::int64_t now_ns) {
  if (phase_ == Phase::kBoot) last_boot_call_ns_ = std::max(last_boot_call_ns_, now_ns);
}

std::optional<std::int64_t> PhaseTracker::next_change_ns() const {
  if (phase_ != Phase::kBoot) return std::nullopt;
  return std::min(last_boot_call_ns_ + quiet_ns_, boot_began_ns_ + latest_ns_);
}

bool PhaseTracker::advance(std::int64_t now_ns) {
  const auto change = next_change_ns();
  if (!change || now_ns < *change) return false;
  phase_ = Phase::kServing;
  return true;
}

}  // namespace ward::shim::supervisor
