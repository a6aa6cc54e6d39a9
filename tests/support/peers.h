// SPDX-License-Identifier: Apache-2.0
// Which containerd, ctr and OCI runtime a node of the integration tests uses: those of PATH, or
// others that the environment names (scripts/test-matrix): WARD_TEST_CONTAINERD, WARD_TEST_CTR,
// WARD_TEST_RUNC, WARD_TEST_CRIU; and the containerd configuration that fits the version.
#pragma once

#include <compare>
#include <filesystem>
#include <string>

namespace ward::test {

// Puts `containerd`, `ctr`, `runc` and `criu` into a directory that is to stand first in PATH,
// where the environment names them. A runtime of another name, as crun, is called `runc` there: so
// the shim and wardd find it as they find any runtime.
void link_peers(const std::filesystem::path& directory);

// Also there: the runtime of the handler `ward`, a link to it, and that of `ward_as_runc`, a script
// that writes each of its command lines into a file beside it (with ".log" at the end) and becomes
// the runtime.
inline constexpr char kConfiguredRuntime[] = "configured-runc";
inline constexpr char kWrappedRuntime[] = "wrapped-runc";

// The CRIU that the node's shims find.
std::string criu_program();

struct Version {
  int major = 0, minor = 0, patch = 0;
  auto operator<=>(const Version&) const =
      default;  // NOLINT(modernize-use-nullptr): of the compiler's making
};
Version containerd_version();

// 1.6.20 knows the key runtime_path and starts the shim of PATH all the same (containerd issue
// 8207).
inline constexpr Version kHonoursRuntimePath{1, 6, 21};
// With id-mapped mounts for the root file system.
inline constexpr Version kMapsUsers{2, 0, 0};

// An emulated one (tests/vm/run), ten times slower: what the kernel and containerd do by the clock
// takes longer.
bool is_slow_host();

enum class Cri { kOff, kOn };
inline constexpr char kPauseImage[] = "docker.io/ward/pause:demo";

// containerd's configuration, everything below `own`. With CRI there are the runtime handlers
// `ward` (runtime type io.containerd.ward.v1, its options in a file), `ward_as_runc`
// (io.containerd.runc.v2 with Ward's shim as runtime_path, or first in PATH under the stock shim's
// name where that is not honoured), `ward_plain` (no options at all) and `runc`
// (io.containerd.runc.v2); pods get addresses from a bridge of `own`'s CNI configuration.
std::string containerd_config(const std::filesystem::path& own, const std::filesystem::path& shim,
                              Cri cri);

// What the configuration with CRI refers to.
void write_cri_files(const std::filesystem::path& own, const std::filesystem::path& shim);

}  // namespace ward::test
