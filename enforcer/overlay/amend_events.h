// SPDX-License-Identifier: Apache-2.0
// Events of the journal as `amend: auto` looks at them. Keeps only how often each let-run call came
// lately, in bounded memory; the rest is a translation.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "enforcer/journal/journal.h"
#include "profiles/learn/amend.h"

namespace ward::enforcer {

// Whom an event is of: its pod, or the container where there is none. Empty: nobody knows.
std::string amend_source(const node::v1::Identity& identity);

class AmendEvents {
 public:
  // Nothing: it has no bearing on amendments.
  std::optional<profiles::AmendEvent> take(const JournalRecord& record);

 private:
  double rate(const node::v1::Violation& body);

  static constexpr std::size_t kMostTold = 4096;
  // Of a container and a call, when its last record was made: the next one tells of the time
  // between.
  std::map<std::pair<std::string, int>, std::pair<std::string, std::int64_t>> told_;
};

}  // namespace ward::enforcer
