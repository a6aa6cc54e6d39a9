// SPDX-License-Identifier: Apache-2.0
#include "enforcer/window_plan.h"

#include <algorithm>
#include <optional>

namespace ward::enforcer {
namespace {

using Numbers = std::bitset<recorder::kSampledNumbers>;

// Without those of which all was told: a call that is seen again and again then costs nothing.
Numbers wanted(const Law& law, filter::Phase phase) {
  Numbers out;
  for (const int nr : law.free.numbers(phase)) {
    if (nr < 0 || static_cast<std::size_t>(nr) >= out.size()) continue;
    bool all_told = true;
    for (std::size_t way = 0; way < law.free.ways(nr); ++way)
      all_told = all_told && law.told.contains({nr, phase == filter::Phase::kExec, way});
    out[static_cast<std::size_t>(nr)] = !all_told;
  }
  return out;
}

class Planner {
 public:
  explicit Planner(const WindowLimits& limits) : limits_(limits) {}

  // False where there is no room left.
  bool add(const Watched& one, const std::vector<std::uint64_t>& tags) {
    if (plan.containers.size() + tags.size() > limits_.containers) return false;
    const auto set = find_set(one);
    if (!set) return false;
    for (const std::uint64_t tag : tags) {
      plan.containers.emplace_back(tag, *set);
      plan.by_tag.emplace(tag, one);
    }
    ++plan.watched;
    plan.last = one.key;
    return true;
  }

  WindowPlan plan;

 private:
  std::optional<std::size_t> find_set(const Watched& one) {
    const auto [found, added] = set_of_.try_emplace({one.law.get(), one.phase}, plan.sets.size());
    if (!added) return found->second;
    if (plan.sets.size() >= limits_.sets) {
      set_of_.erase(found);
      return std::nullopt;
    }
    plan.sets.push_back({wanted(*one.law, one.phase), wanted(*one.law, filter::Phase::kExec)});
    return found->second;
  }

  const WindowLimits limits_;
  std::map<std::pair<const Law*, filter::Phase>, std::size_t> set_of_;
};

}  // namespace

WindowPlan plan_window(const std::vector<Watched>& all,
                       const std::multimap<ContainerTable::Key, std::uint64_t>& tags,
                       const ContainerTable::Key& behind, const WindowLimits& limits) {
  Planner planner(limits);
  const auto first = std::upper_bound(
      all.begin(), all.end(), behind,
      [](const ContainerTable::Key& key, const Watched& one) { return key < one.key; });
  const auto begin = static_cast<std::size_t>(first - all.begin());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Watched& one = all[(begin + i) % all.size()];
    std::vector<std::uint64_t> of_it;
    const auto [from, to] = tags.equal_range(one.key);
    for (auto tag = from; tag != to; ++tag) of_it.push_back(tag->second);
    if (!of_it.empty() && !planner.add(one, of_it)) break;
  }
  return std::move(planner.plan);
}

}  // namespace ward::enforcer
