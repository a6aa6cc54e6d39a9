// SPDX-License-Identifier: Apache-2.0
// The commit that a program was built from, for --version. In a release alone: other builds would
// be linked anew with each commit.
#pragma once

namespace ward {

// Its first twelve digits, with "-changed" where tracked files had other content; "unknown" without
// git and in builds for tests.
const char* commit();

}  // namespace ward
