// SPDX-License-Identifier: Apache-2.0
// Ward's part of a configuration file that others own: one fenced block at its end. Taking it out
// gives back, byte for byte, what was there before. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace ward::cli::node {

struct FencedText {
  std::string rest;                  // the file without the block
  std::optional<std::string> block;  // what stands between the fences
};

// kFailedPrecondition where a fence has no partner, or there are two blocks: a person has to say
// what was meant. A fence inside a string of several lines is none. `known`: what was written
// between them once; where somebody took the fences away, its very words are the block.
Result<FencedText> split_block(std::string_view text, const std::string& name,
                               std::string_view known = {});

std::string with_block(std::string_view rest, std::string_view block);

// Lines that differ, with "-" and "+" before them: for a person, of a change at one place.
std::string line_difference(std::string_view before, std::string_view after);

}  // namespace ward::cli::node
