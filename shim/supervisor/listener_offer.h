// SPDX-License-Identifier: Apache-2.0
// What comes with a seccomp listener: the container process state that the runtime sends beside the descriptor.
// Pure; the bytes are hostile until the nonce was compared.
// Source: https://github.com/opencontainers/runtime-spec/blob/v1.1.0/config-linux.md#containerprocessstate
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace ward::shim {

// Not the shim's own ProcessState: two types of one name in one program are one to the linker, which then takes either.
struct ContainerProcessState {
  std::string container_id;
  std::string metadata;  // our nonce
  std::string status;    // "creating" for a container, "running" for an exec session
  pid_t pid = 0;         // the process under the filter
};

// kInvalidArgument with the reason. Exactly one descriptor, named "seccompFd", must be announced.
Result<ContainerProcessState> parse_process_state(std::string_view json);

}  // namespace ward::shim
