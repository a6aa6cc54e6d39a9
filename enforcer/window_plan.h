// SPDX-License-Identifier: Apache-2.0
// What one sampled window looks at: containers in turn, as many as it has room for, and for
// each profile and phase the calls that are looked for. Values in, values out.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "enforcer/node_link/container_table.h"
#include "enforcer/recorder/call_sampler.h"
#include "profiles/filter/terms.h"
#include "profiles/free_calls.h"

namespace ward::enforcer {

// What a version of a profile lets run for free, and what of it was told already.
struct Law {
  std::string digest;
  profiles::FreeCalls free;
  std::set<std::tuple<int, bool, std::size_t>> told;  // number, of a session, way
};

// A container under a profile that has free calls.
struct Watched {
  ContainerTable::Key key;
  std::string profile;
  filter::Phase phase = filter::Phase::kServing;
  std::shared_ptr<Law> law;  // never null
};

struct WindowLimits {
  std::size_t containers = recorder::kMostSampledContainers;
  std::size_t sets = recorder::kMostSampledSets;
};

struct WindowPlan {
  std::vector<recorder::WantedCalls> sets;
  std::vector<std::pair<std::uint64_t, std::size_t>> containers;  // tag, and its set
  std::map<std::uint64_t, Watched> by_tag;
  std::size_t watched = 0;     // containers of it
  ContainerTable::Key last{};  // the newest of these: the next window begins behind it
};

// `all` in the order of their keys; `tags`: by which the kernel knows them, those of one that had
// the same name before included. What has no tag cannot be watched and takes no room.
WindowPlan plan_window(const std::vector<Watched>& all,
                       const std::multimap<ContainerTable::Key, std::uint64_t>& tags,
                       const ContainerTable::Key& behind, const WindowLimits& limits = {});

}  // namespace ward::enforcer
