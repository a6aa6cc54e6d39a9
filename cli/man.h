// SPDX-License-Identifier: Apache-2.0
// `ward man`: the manual pages of this program, ward(1) and one for each verb, out of its own tree.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace ward::cli {

// `verb` is one of the root's; the root itself gives ward(1).
std::string man_page_of(const CLI::App& verb, const std::string& date);

}  // namespace ward::cli
