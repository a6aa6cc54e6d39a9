// SPDX-License-Identifier: Apache-2.0
// What comes with a seccomp listener: the container process state that the runtime sends beside the
// descriptor. Pure; the bytes are hostile until the nonce was compared.
// Source: https://github.com/opencontainers/runtime-spec/blob/v1.1.0/config-linux.md#containerprocessstate
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/oci/bundle.h"

namespace ward::shim::supervisor {

// The runtime's message carries the container's annotations. They come from a config.json that
// admission has read, so they are no larger than that; Go writes some bytes ('<', '&') as six.
inline constexpr std::size_t kMaxProcessStateBytes = 6 * oci::kMaxConfigBytes + (64U << 10U);

// Not the shim's own ProcessState: two types of one name in one program are one to the linker,
// which then takes either.
struct ContainerProcessState {
  std::string container_id;
  std::string metadata;  // our nonce
  std::string status;    // "creating" for a container, "running" for an exec session
  pid_t pid = 0;         // the process under the filter
};

// Finds where the message's outermost object ends, looking at each byte once: the message comes in
// pieces, and what is in its strings is the container's.
class MessageEnd {
 public:
  // With the next piece; true from the end on.
  bool reached_with(std::string_view piece);

 private:
  std::ptrdiff_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool reached_ = false;
};

// kInvalidArgument with the reason. Exactly one descriptor, named "seccompFd", must be announced.
Result<ContainerProcessState> parse_process_state(std::string_view json);

}  // namespace ward::shim::supervisor
