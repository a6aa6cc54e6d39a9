// SPDX-License-Identifier: Apache-2.0
// What may stand where a command line ends, from the tree of verbs alone. Pure: names of containers
// and files are asked of the caller.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ward::cli {

struct Candidate {
  std::string text;
  std::string description = {};
};

struct Candidates {
  std::vector<Candidate> words;
  bool files = false;  // and whatever the shell finds
};

// The names of a kind of value (app.h: kContainerValue and so on).
using NamesOf = std::function<std::vector<std::string>(std::string_view value)>;

// `words` behind `ward`; the last one is what is being typed, and may be empty.
Candidates complete(const CLI::App& app, const std::vector<std::string>& words,
                    const NamesOf& names_of);

}  // namespace ward::cli
