// SPDX-License-Identifier: Apache-2.0
// `amend: auto`: which calls a node lets run of itself besides a profile, from what its containers
// did outside of it. At most what is of class held; never from exec sessions, nor from a container
// that ever reached for more. Pure and bounded: wardd reads the events, keeps the book, and puts
// the overlay in force (enforcer/overlay). Time here is the time that wardd has watched: no clock
// that somebody sets makes it longer.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "profiles/overlay.h"
#include "profiles/profile.h"

namespace ward::profiles {

inline constexpr std::size_t kMostAmendedPerHour = 12;     // on the node
inline constexpr std::size_t kMostAmendedPerProfile = 16;  // of each kind
inline constexpr std::size_t kMostAmendCalls = 64;         // looked at, of a profile
inline constexpr std::size_t kMostAmendCallsOfNode = 1024;
inline constexpr std::size_t kMostAmendSources = 32;  // of a call
inline constexpr std::size_t kMostStoppedSources = 4096;
inline constexpr double kHotPerSecond = 1000;

using CallArguments = std::array<std::uint64_t, 6>;

// The part of a call that these arguments are of, if it is held or less in all that it covers and
// a filter can say it.
struct HeldPart {
  std::string syscall;
  ArgFilters filters;  // empty: the whole call
  std::string shown;   // "argument 1 is FIONREAD"; empty: the whole call
};
std::optional<HeldPart> held_part(int nr, const CallArguments& arguments);

// One event under a profile.
struct AmendEvent {
  std::string digest;  // of the profile
  std::string source;  // the pod, or the container where there is none: a restart is no other one
  Origin origin = Origin::kWorkload;
  int nr = -1;
  CallArguments arguments{};
  std::uint64_t count = 1;
  bool tolerated = false;  // it was let run and is no violation
  bool several = false;    // it stands for calls with other arguments too
  bool stops = false;      // worse than any call, or records of the source were lost before it
  double per_second = 0;   // how often such calls came; 0: not known
  std::int64_t wall_ns = 0;
};

struct AmendSource {
  std::int64_t first_ns = 0, last_ns = 0;  // of watched time
  bool hot = false;
};

enum class AmendState { kSeen, kAmended, kHot, kDropped };  // kDropped: by a person

struct AmendCall {
  int nr = -1;
  CallArguments arguments{};  // an example, which says the part of the call
  AmendState state = AmendState::kSeen;
  std::map<std::string, AmendSource> sources;
  std::uint64_t count = 0;
  std::int64_t first_wall_ns = 0, since_wall_ns = 0;  // for people
};

struct AmendProfile {
  std::string name;
  std::vector<AmendCall> calls;
};

struct AmendBook {
  std::map<std::string, AmendProfile> profiles;  // by digest
  std::map<std::string, std::int64_t> stopped;   // sources that reached for more, and when
  std::vector<std::int64_t> made_ns;             // amendments of the last hour
  std::int64_t watched_ns = 0;                   // now
  bool overfull = false;  // more sources that live are stopped than can be kept: nothing is amended
};

// A profile that is in force and that policies amend.
struct Amendable {
  std::string name;
  Amend terms;
  Posture posture = Posture::kStrict;
};
using Amendables = std::map<std::string, Amendable>;  // by digest

// Sources that still run, which are never forgotten. Absent: nobody knows yet.
using Living = std::optional<std::set<std::string>>;

// True where the book has changed.
bool note(AmendBook& book, const AmendEvent& event, const Amendables& amendable,
          const Living& living);

// Of records nobody knows whose were lost: what was seen so far is not enough for anything new.
void forget_seen(AmendBook& book);

// Events are gone that may have told who reached for more: whoever lives now may be one of them,
// and vouches for nothing.
void distrust(AmendBook& book, const std::set<std::string>& living);

struct AmendChange {
  enum class What { kAmended, kHot, kWithdrawn };
  What what = What::kAmended;
  std::string profile, digest;
  std::string reason;  // for people
};
struct Decided {
  std::vector<AmendChange> changes;
  std::size_t waiting = 0;  // stand on enough, and one of the limits keeps them back
};
// `in_force`: digests of profiles; what is kept of another is dropped.
Decided decide(AmendBook& book, const Amendables& amendable, const std::set<std::string>& in_force,
               std::int64_t wall_ns);

// A person takes it back, for as long as this version is in force. Empty `syscall`: all of the
// profile. What was dropped.
std::vector<AmendCall> drop(AmendBook& book, const std::string& digest, const std::string& syscall);

bool is_in_force(const AmendCall& call);
Overlay overlay_of(const AmendProfile& profile);

}  // namespace ward::profiles
