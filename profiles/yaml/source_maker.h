// SPDX-License-Identifier: Apache-2.0
// A step of the build that makes a source of constants out of a document of ours: its main(), and
// how a text is written in C++.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace ward::profiles {

std::string cpp_literal(std::string_view text);

// `from` is for messages. A document that is wrong ends the build.
using MakeSource = std::function<Result<std::string>(const std::string& text, const char* from)>;
int make_source(int argc, char** argv, const MakeSource& make);  // NAME document source.cc

}  // namespace ward::profiles
