// SPDX-License-Identifier: Apache-2.0
// What containers did outside of their profile, to a wider profile for people to review. Pure; the
// caller reads the events.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "profiles/harm/harm_class.h"
#include "profiles/learn/generate.h"
#include "profiles/learn/observation.h"
#include "profiles/profile.h"

namespace ward::profiles {

// One event of a container under the profile: a call that it does not list.
struct CallOutside {
  std::string container;
  Origin origin = Origin::kWorkload;
  std::string phase;  // "serving"
  int nr = 0;
  std::array<std::uint64_t, 6> args{};
  std::uint64_t count = 1;
  std::int64_t wall_ns = 0;
  bool tolerated = false;  // the posture let it run; else it was a violation
};

// A capability that containers under the profile used (supervise) or missed (enforce).
struct CapabilityOutside {
  std::string name;
  std::string container;
  Origin origin = Origin::kWorkload;
  bool operator==(const CapabilityOutside&) const = default;
};

// A call that the proposal allows and the profile does not.
struct ProposedCall {
  std::string syscall;
  Origin origin = Origin::kWorkload;
  HarmClass harm = HarmClass::kReach;  // the strictest of those that were seen
  std::uint64_t count = 0;             // 0: not seen, and of the family of one that was
  std::set<std::string> containers;
  std::set<std::string> phases;
  std::int64_t first_wall_ns = 0, last_wall_ns = 0;
  bool stopped = false;  // at least one was a violation
};

struct Proposal {
  Generated generated;  // the next version, and what belongs to the danger set
  std::vector<ProposedCall> calls;
  std::vector<std::string> capabilities;  // that it adds, sorted
};

// The settings of the profile stay as they are; calls are added. What only the posture let run is
// added as far as its harm class goes, what is new reach with its family, as from a recording;
// with the values that were seen where they are the call (ioctl), and where the profile filters it
// already. What would be too many listings is left out with a warning. kNotFound: it lists all that
// was seen, and nothing of the danger set was tried. Capabilities of the workload are added, those
// of sessions are not: the workload would have them too. kInvalidArgument: the wider profile would
// not be valid.
Result<Proposal> propose(const Profile& in_force, std::uint64_t version,
                         const std::vector<CallOutside>& seen,
                         const std::vector<CapabilityOutside>& capabilities = {});

}  // namespace ward::profiles
