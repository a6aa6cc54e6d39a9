// SPDX-License-Identifier: Apache-2.0
// Values to YAML: canonical, so that two equal profiles are the same bytes, and diffable: sorted,
// names of one initial letter on a line of their own, symbolic argument values.
// read_yaml(write_yaml(x)) is x.
#pragma once

#include <string>
#include <string_view>

#include "profiles/profile.h"

namespace ward::profiles {

// `header`: comment lines to put on top, without '#'; empty for none.
std::string write_yaml(const Profile& profile, std::string_view header = {});
std::string write_yaml(const Policy& policy);

// The two lines that allow a call of the danger set, as they stand in a document: one of a list
// under `syscalls`, and one of the list under `accept`.
std::string format_entry(std::string_view syscall,
                         const ArgFilters& args);  // "{name: socket, args: [...]}"
std::string format_accept(const Accept& accept);   // "{syscall: socket, reason: ...}"

}  // namespace ward::profiles
