// SPDX-License-Identifier: Apache-2.0
// What both BPF objects that write into a run's tables are told before they are loaded: the windows
// and the watched arguments. `Constants` is the skeleton's, each object has a type of its own.
#pragma once

#include <cstdint>
#include <cstdlib>

#include "enforcer/recorder/kernel_side.h"
#include "profiles/learn/observation.h"

namespace ward::recorder {

template <typename Constants>
void fill_watches(Constants& constants) {
  constants.fine_window_ns = profiles::kFineWindow_ns;
  constants.coarse_window_ns = profiles::kCoarseWindow_ns;
  const auto sets = watched_sets();
  for (std::size_t set = 0; set < sets.size(); ++set) {
    const auto [nr, index] = sets[set];
    if (nr < 0 || nr >= WARD_NRS) continue;
    ward_watch& watch = constants.watches[nr];
    if (watch.count == WARD_WATCHED_ARGS)
      std::abort();  // the list in observation.h outgrew record.h
    watch.index[watch.count] = static_cast<std::uint8_t>(index);
    watch.set[watch.count] = static_cast<std::uint8_t>(set);
    ++watch.count;
    watch.tuple = profiles::kWatchedArguments[set].syscall == profiles::kTupleCall ? 1 : 0;
  }
}

}  // namespace ward::recorder
