// SPDX-License-Identifier: Apache-2.0
// What of this node's configuration has to be known without <state>/compiled: that it has, or had,
// a policy, so that an index that is gone is not taken for a node that nobody governs; that
// profiles were in force; which runtime the node chose. wardd writes it beside the compiled files
// and into the run directory, because either may be removed; that the node was governed is never
// taken back.
#pragma once

#include <optional>
#include <string>

#include "lib/base/places.h"
#include "lib/base/result.h"

namespace ward::filter {

enum class Governed {
  kNever,
  kRefuse,  // where nothing can be read, containers are refused
  kOpen,    // they run without a policy: the node's choice (wardd.yaml, whenUngoverned: open)
};

struct GovernedMark {
  Governed how = Governed::kNever;
  bool had_profiles = false;
  std::string runtime_binary =
      {};  // wardd.yaml, runtime.binary; empty: the node left it to the client
  bool operator==(const GovernedMark&) const = default;
};

// The strictest that is found in either place; nothing where there is none.
std::optional<GovernedMark> read_mark(const Places& places);
Result<void> write_mark(const Places& places,
                        const GovernedMark& mark);  // where it does not say so already

// What the marks say. Where there is none, an index of an older wardd says it: kRefuse, unless it
// has no rules.
Governed read_governed(const Places& places);

}  // namespace ward::filter
