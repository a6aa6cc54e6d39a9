// SPDX-License-Identifier: Apache-2.0
#include "profiles/argument_choices.h"

#include "profiles/filter/constants.h"

#include <algorithm>

namespace ward::profiles {
namespace {

constexpr std::uint32_t kHighestBit = 1U << 31U;

// All values whose bits under `fixed` are `bits`: a block where none of them is excluded, else its
// halves.
void append_blocks(const std::vector<std::uint64_t>& excluded, std::uint32_t fixed,
                   std::uint32_t bits, std::vector<ArgChoice>& out) {
  const bool whole = std::none_of(excluded.begin(), excluded.end(),
                                  [&](std::uint64_t value) { return (value & fixed) == bits; });
  if (whole) {
    out.push_back({fixed, bits});
  } else if (fixed != ~std::uint32_t{0}) {
    const std::uint32_t bit = fixed == 0 ? kHighestBit : (~fixed & (fixed >> 1U));
    append_blocks(excluded, fixed | bit, bits, out);
    append_blocks(excluded, fixed | bit, bits | bit, out);
  }
}

}  // namespace

std::vector<ArgChoice> choices_of(const ArgFilter& filter) {
  std::vector<ArgChoice> choices;
  if (!filter.none_of.empty()) {
    append_blocks(filter.none_of, 0, 0, choices);
    return choices;
  }
  for (const std::uint64_t value : filter.one_of) choices.push_back({filter.mask, value});
  return choices;
}

std::string_view vocabulary_of(std::string_view syscall, const ArgFilters& args) {
  constexpr std::uint64_t kNetlinkFamily = 16;
  const bool netlink = syscall == "socket" && !args.empty() && args.front().index == 0 &&
                       args.front().one_of == std::vector<std::uint64_t>{kNetlinkFamily};
  return netlink ? filter::kNetlinkSocket : syscall;
}

}  // namespace ward::profiles
