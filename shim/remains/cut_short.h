// SPDX-License-Identifier: Apache-2.0
// What the runtime leaves when it ends in the middle of a verb. One that is killed neither finishes
// its work nor undoes it, and its own record does not know how far it came: the kernel is asked.
#pragma once

#include <asio/io_context.hpp>
#include <functional>
#include <string>

namespace ward::shim::remains {

// After a failed create: the cgroups that the runtime had entered and not yet written down. They go
// as soon as its half-made process has noticed the end; `done` is called then, at once where there
// are none, after two seconds at most.
void remove_unrecorded_cgroups(asio::io_context& loop, const std::string& bundle,
                               std::function<void()> done);

}  // namespace ward::shim::remains
