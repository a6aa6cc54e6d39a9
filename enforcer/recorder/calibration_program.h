// SPDX-License-Identifier: Apache-2.0
// The two programs of the calibration container, as whole static ELF files of a few instructions
// each: a node has no compiler, and a shell or libc would bring calls of its own.
#pragma once

#include <string>

namespace ward::recorder {

std::string waiting_program();  // writes one byte to standard output, waits until nobody reads it;
                                // empty: not for this machine
std::string exiting_program();  // exits with 0

}  // namespace ward::recorder
