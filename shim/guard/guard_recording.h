// SPDX-License-Identifier: Apache-2.0
// Mode learn: the Guard's conversation with the recorder about one run. The container never waits
// longer than 300 ms for it and is never refused because of it (I8); a run without a recording says
// so.
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace ward::shim::links {
class NodeLink;
}

namespace ward::shim::guard {

struct GuardedContainer;

// Asks wardd to tag the waiting runtime process; then calls `go`, exactly once.
void begin_recording(asio::io_context& loop, links::NodeLink& link, GuardedContainer& container,
                     const std::filesystem::path& node_socket, const std::string& exec_id,
                     pid_t runtime_pid, const std::string& runtime_name, std::function<void()> go);

void end_recording(links::NodeLink& link, GuardedContainer& container, int wait_status);

// Where a person asked for it: at that time the recording ends, and the container goes on. `ended`
// is called then; a time that has passed ends it at once, without that call.
void end_recording_at(asio::io_context& loop, links::NodeLink& link, GuardedContainer& container,
                      std::int64_t until_wall_ns, std::function<void()> ended);

}  // namespace ward::shim::guard
