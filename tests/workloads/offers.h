// SPDX-License-Identifier: Apache-2.0
// The page that `box offer FILE` shares with the test that counts what a container offered to Ward.
// C and C++. Each number has one writer; a number is raised when its call has returned, so only the
// call under way is missing.
#pragma once

#include <stdint.h>

struct offers {
  uint64_t wanted;   // the test's: calls are made until `begun` is that many
  uint64_t begun;    // calls that were made
  uint64_t denied;   // of them, returned EPERM: Ward was asked, and answered
  uint64_t unheard;  // returned ENOSYS: there was nobody to ask. No further call is made then
  uint64_t ran;      // returned anything else: the call was executed
};
