// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/own_numbers.h"

#include <algorithm>

#include "profiles/filter/call_tables.h"

namespace ward::filter {

OwnNumberTable::OwnNumberTable(const node::v1::CompiledProfile& compiled) {
  for (const node::v1::OwnNumberRule& message : compiled.tolerated_own()) {
    // Without an index it would allow whatever the numbers are.
    if (message.own().empty()) continue;
    Rule rule{message.rule().nr(), {message.own().begin(), message.own().end()}, {}};
    rule.rest = CallTable({to_rule(message.rule(), kLayerRuntime)}, {});
    rules_.push_back(std::move(rule));
  }
}

bool OwnNumberTable::names(int nr) const {
  return std::any_of(rules_.begin(), rules_.end(),
                     [&](const Rule& rule) { return rule.nr == static_cast<std::uint32_t>(nr); });
}

bool OwnNumberTable::allows(int nr, const CallArgs& args, const OwnNumbers& caller) const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    return rule.nr == static_cast<std::uint32_t>(nr) &&
           std::all_of(rule.own.begin(), rule.own.end(),
                       [&](std::uint32_t index) {
                         return index < args.size() && caller.include(args.at(index));
                       }) &&
           rule.rest.allows(nr, args, kLayerRuntime);
  });
}

OwnNumberTable OwnNumberTable::united_with(const OwnNumberTable& other) const {
  OwnNumberTable both = *this;
  both.rules_.insert(both.rules_.end(), other.rules_.begin(), other.rules_.end());
  return both;
}

}  // namespace ward::filter
