// SPDX-License-Identifier: Apache-2.0
// Whether what a program's name leads to was changed since a moment: the file, and the interpreters
// that run it (`#!`, the loader of an ELF file). A guess at what an execve of that name will read,
// made with the file system of this process; somebody may change it between the two. Source:
// execve(2), elf(5)
#pragma once

#include <cstdint>
#include <string>

#include "lib/base/unique_fd.h"

namespace ward {

struct ProgramName {
  std::string name;         // with a slash: a path, else looked up
  std::string search_path;  // as of $PATH
  std::string directory;    // what relative paths begin at
};

// The first of the files that may be written (its mount is not read-only) and whose status changed
// at `since_wall_ns` or later; empty: none. By ctime, which nobody sets: it is the time of the
// node's clock at which content, owner, mode or name changed, and only who sets that clock back can
// make it older. A file that does not exist, is none, or lies behind a magic link of /proc is not
// looked at, and nothing but a regular file is ever opened. May wait for a file system of the
// container's: for a child that can be ended.
//
// `descriptors`: /proc/self/fd of this very process, opened where /proc can be trusted.
std::string find_newer_program(const ProgramName& program, std::int64_t since_wall_ns,
                               const UniqueFd& descriptors);

}  // namespace ward
