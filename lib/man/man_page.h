// SPDX-License-Identifier: Apache-2.0
// A manual page, in the man macros of roff, out of the tree that a program parses its command line
// with: what the page shows is what the program takes. What no tree knows (exit status, files) is
// given as sections. Used by `ward man` and `wardd --man`.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

namespace ward::man {

// A footer that begins with this word has an example a line, each behind two blanks.
inline constexpr const char* kExamples = "Examples:";

struct Item {
  std::string term;
  std::string text;
};

// Text is plain; what stands in `backquotes` is set as a person types it.
struct Section {
  std::string title;
  std::string text;
  std::vector<Item> items;
};

struct Page {
  std::string name;  // "ward-learn"
  int section = 1;
  std::string about;       // behind the name, in one line
  bool own_pages = false;  // each verb has a page of its own: named here, and not described
  std::vector<Section> sections = {};      // behind those of the tree
  std::vector<std::string> see_also = {};  // "wardd(8)"
};

// `date` as YYYY-MM-DD.
std::string page_of(const CLI::App& app, const Page& page, const std::string& date);

// Of SOURCE_DATE_EPOCH, so that a build can be repeated, else today.
std::string page_date();

}  // namespace ward::man
