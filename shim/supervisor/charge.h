// SPDX-License-Identifier: Apache-2.0
// What a supervisor is given: the container in its charge, and whom it tells of what it does.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "profiles/filter/own_numbers.h"
#include "profiles/filter/seccomp_intersect.h"
#include "shim/supervisor/evidence_bundle.h"
#include "shim/supervisor/verdict.h"
#include "ward/node/v1/types.pb.h"

namespace ward::shim::supervisor {

// What admission decided, as the supervisor needs it.
struct Charge {
  node::v1::Identity identity;
  Mode mode = Mode::kEnforce;
  std::string profile_name;
  std::string profile_digest;
  std::string overlay;  // Violation.overlay
  filter::CallTable calls;
  filter::OwnFilter own;
  filter::CallTable danger;     // what it names is never let run unless `calls` allows it
  filter::CallTable refused;    // what of it the own filter refuses is no violation
  filter::CallTable tolerated;  // Law::tolerated
  filter::OwnNumberTable tolerated_own;
  std::uint32_t knows_up_to = 0;  // Law::knows_up_to
  bool sessions_as_workload = false;
  ActionSet actions;
  std::chrono::nanoseconds boundary_quiet{0};
  std::chrono::nanoseconds boundary_latest{0};
  std::chrono::nanoseconds quarantine_ttl{0};  // then killed; 0: held until released
  std::filesystem::path bundle;                // the container's, whose config.json evidence shows
  std::filesystem::path evidence_root;
  EvidenceLimits evidence_limits;
};

// What a running container is judged by from now on, in the place of what it began with.
struct NewLaw {
  std::string profile_digest, overlay;
  filter::CallTable calls, danger, refused, tolerated;
  filter::OwnNumberTable tolerated_own;
  std::uint32_t knows_up_to = 0;
};

// None of them may destroy the supervisor.
struct SupervisorCallbacks {
  std::function<void()> count;  // every violation, before it is answered
  std::function<void(node::v1::Violation)> report;
  std::function<void(bool frozen)> frozen_changed;
  std::function<void()> changed;   // phase, counters that people watch, quarantine
  std::function<void()> kill_all;  // where there is no cgroup of its own to kill
};

}  // namespace ward::shim::supervisor
