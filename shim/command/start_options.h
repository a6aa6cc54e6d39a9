// SPDX-License-Identifier: Apache-2.0
// Standard input of `start`: an Any of runtime options up to containerd 2.2, BootstrapParams since.
// Both parse as each other, so the ids decide.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "shim/runtime/runtime_options.h"

namespace ward::shim::command {

struct StartOptions {
  runtime::RuntimeOptions runtime;
  std::string socket_directory;  // empty: the usual one
};

inline constexpr std::size_t kLargestStartInput = 10U << 20U;

// Pure.
Result<StartOptions> parse_start_options(std::string_view input,
                                         std::string_view containerd_namespace,
                                         std::string_view id);

}  // namespace ward::shim::command
