// SPDX-License-Identifier: Apache-2.0
// Which numbers are a process's own, where the process itself counts: in its PID namespace.
// Sources: ioctl_nsfs(2), proc_pid_children, in proc(5)
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace ward {

// Those of `numbers` that name a thread of the process `group`, or of a child of it, by the numbers
// that its thread `tid` sees; both as the caller of this function sees them. Since Linux 6.11 the
// kernel says so. Before, /proc is read, and a process of more than kMostProcessesRead threads and
// children has none. Whoever ends meanwhile leaves its number to whoever is born next in the
// namespace, never to somebody who is there.
inline constexpr std::size_t kMostProcessesRead = 64;
std::vector<std::uint32_t> own_processes(pid_t tid, pid_t group,
                                         std::span<const std::uint64_t> numbers);

// The older way, for its test.
std::vector<std::uint32_t> own_processes_from_proc(pid_t tid,
                                                   std::span<const std::uint64_t> numbers,
                                                   const std::filesystem::path& proc = "/proc");

}  // namespace ward
