// SPDX-License-Identifier: Apache-2.0
// What a person asks to be recorded without a policy: whom the words of a command line mean, and
// which request takes a container. Used by wardd, which writes the index, and by shims, which read
// it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "profiles/filter/selector.h"
#include "ward/node/v1/compiled.pb.h"
#include "ward/node/v1/types.pb.h"

namespace ward::filter {

inline constexpr std::size_t kMaxRecordRules = 16;  // every start reads all of them

// "web-*": containers and pods of that name. "shop/cart" and "shop/cart/app": a pod, and one of its
// containers; "moby/4f1c": likewise a container of containerd's namespace. kInvalidArgument where
// that is no pattern.
Result<std::vector<node::v1::Selector>> selectors_of(std::string_view pattern);

// The widest reach that one of its selectors has: a container that is left alone is left alone by
// all.
Reach reach(const node::v1::RecordRule& rule, const node::v1::Identity& identity);

// The first that selects it and is not over; none: nobody asked.
template <typename Rules>
const node::v1::RecordRule* find_record(const Rules& rules, const node::v1::Identity& identity,
                                        std::int64_t now_wall_ns) {
  for (const node::v1::RecordRule& rule : rules) {
    if (rule.until_wall_ns() > now_wall_ns && reach(rule, identity) == Reach::kSelected)
      return &rule;
  }
  return nullptr;
}

}  // namespace ward::filter
