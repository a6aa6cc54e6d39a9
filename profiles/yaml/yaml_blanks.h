// SPDX-License-Identifier: Apache-2.0
// Characters that look like a space in YAML and are none: a tab that indents, a no-break space
// where a word begins. The parser takes them for a part of the word, or complains some lines
// further down; a person sees nothing there. This looks at the text itself, so that a refusal
// points at the very character. Not in comments, quotes, block texts and the middle of a plain
// text, where they do no harm. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "profiles/yaml/yaml_tree.h"

namespace ward::profiles {

struct FalseBlank {
  Position at;
  std::string what;  // and what would be right
};

struct FalseBlanks {
  std::optional<FalseBlank> look_alike;  // the first of each kind
  std::optional<FalseBlank> tab;  // only of use where the text is no YAML: some tabs are allowed
};

// The text is valid UTF-8.
FalseBlanks find_false_blanks(std::string_view text);

}  // namespace ward::profiles
