// SPDX-License-Identifier: Apache-2.0
// What a private node has on the machine, found by looking (at /proc, the mount table, the cgroup
// trees, the directories that containerd, shims, runtime and wardd write to, the kernel's BPF
// programs) and not by asking the node. Used by Node for its check of leftovers and to clean up
// after a test that failed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace ward::test {

inline constexpr char kNodeVariable[] =
    "WARD_TEST_NODE";  // in the environment of containerd, shims and wardd

// Where the node of this name has everything it writes.
std::filesystem::path directory_of(const std::string& node);
// Whether containerd and wardd count, and what they have for themselves: they may only once they
// were stopped.
enum class Daemons { kCount, kIgnore };

// Everything below but BPF programs, and what stands in the places where containers have files:
// bundles, the runtime's state, FIFOs, sockets of shims, console sockets and directories of
// listeners. One line each, for a person. Must have the machine's /run/containerd for itself
// (isolate_mounts()).
std::vector<std::string> remains_of(const std::string& node, Daemons daemons);

// "process <pid> <command>" of each process that carries the node's variable, or is in a cgroup of
// its namespace or of one of its calibrations.
std::vector<std::string> processes_of(const std::string& node);
// Those that containerd, wardd, a shim or this program has not waited for.
std::vector<std::string> zombies_of(const std::string& node);
long open_descriptors(pid_t pid);
// The shim of a container by its command line, or -1.
pid_t find_shim(const std::string& node, const std::string& id);
std::vector<std::string> mounts_below(const std::filesystem::path& directory);
// Cgroups of containers and calibrations; runc leaves the empty parent named after the namespace,
// which is not counted.
std::vector<std::string> cgroups_of(const std::string& node);

// Removes the cgroups of a container whose processes end, where its runtime gave up before they
// had: runc 1.1 tries for 310 ms after a failed start. False while one is still in use.
bool remove_cgroups_of(const std::string& node, const std::string& id);

// The ids of the BPF programs that the node's processes hold now: nobody else's, whatever else this
// machine does.
std::set<std::uint32_t> bpf_programs_of(const std::string& node);
bool bpf_program_exists(std::uint32_t id);

// What clients made for the standard streams of a container's first process.
void remove_fifos_of(const std::string& id);

// Kills, unmounts and deletes all of it.
void remove_remains(const std::string& node, const std::filesystem::path& directory);

}  // namespace ward::test
