// SPDX-License-Identifier: Apache-2.0
// The book of amendments as rows of <state>/ward.db: one for each profile by its digest, one for
// the node, one for the sources that are stopped. What is damaged is not there, and then less is
// let run, never more.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "lib/base/result.h"
#include "profiles/learn/amend.h"

namespace ward::enforcer {

struct KeptAmendments {
  profiles::AmendBook book;
  std::uint64_t read_to = 0;  // sequence of the journal
  bool damaged = false;       // it is not known any more who reached for more
};

using AmendRows = std::map<std::string, std::string>;  // by name

AmendRows to_rows(const KeptAmendments& kept);
// Damaged rows of the node or of the stopped make it start anew, for nothing may be amended while
// it is not known who reached for more.
KeptAmendments from_rows(const AmendRows& rows);

}  // namespace ward::enforcer
