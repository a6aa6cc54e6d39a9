// SPDX-License-Identifier: Apache-2.0
// The free calls of a profile: those that its posture puts into the filter and the profile does not
// list. Nobody is asked about one, so only who looks for it learns of it (enforcer/sampling.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lib/base/result.h"
#include "profiles/filter/seccomp_intersect.h"
#include "profiles/filter/terms.h"
#include "profiles/profile.h"

namespace ward::profiles {

class FreeCalls {
 public:
  // Errors as of compile(). A strict profile has none.
  static Result<FreeCalls> of(const Profile& profile);

  [[nodiscard]] bool empty() const { return added_.empty(); }
  // Those of which some may be free, sorted: of the workload in phase boot or serving, or of exec
  // sessions.
  [[nodiscard]] std::vector<int> numbers(filter::Phase phase) const;

  // How many ways the posture allows of this number; 0: none.
  [[nodiscard]] std::size_t ways(int nr) const;
  // In which of these, counted from 0: with other flags it is another call to whoever lists it.
  // Nothing where it is not free.
  [[nodiscard]] std::optional<std::size_t> way_of(int nr, const filter::CallArgs& args,
                                                  filter::Phase phase) const;

 private:
  [[nodiscard]] std::span<const filter::CallRule> rules_of(int nr) const;

  std::vector<filter::CallRule> added_;  // by the posture, sorted by number
  filter::CallTable listed_;
};

// The bits of its arguments by which postures tell calls of this number apart: of the free ones
// those that agree in them are one.
filter::CallArgs told_apart_by(int nr);

}  // namespace ward::profiles
