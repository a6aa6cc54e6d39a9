// SPDX-License-Identifier: Apache-2.0
// What loading of BPF programs needs more than once: libbpf's explanation for people, and what the
// kernel has.
#pragma once

#include <string>

#include "lib/base/result.h"

namespace ward::recorder {

// From now on libbpf says nothing itself; its first warning is kept for refused().
void keep_first_complaint();

// The error of the last bpf(2) call, with that warning, or with what wardd lacks.
tl::unexpected<Error> refused(std::string why);

// A raw tracepoint has a type of its own among the kernel's.
bool kernel_has_tracepoint(const std::string& name);

}  // namespace ward::recorder
