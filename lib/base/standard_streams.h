// SPDX-License-Identifier: Apache-2.0
// Descriptors 0, 1 and 2, for a program that was started without some of them (`wardd 2>&-`).
#pragma once

namespace ward {

// The first thing that main() does; a program that calls it does it before its libraries begin,
// too. What is closed is opened on /dev/null: the next descriptor that is opened, a lock file or a
// socket, would otherwise be what everybody takes for a standard stream, and would be written to.
void open_standard_streams();

}  // namespace ward
