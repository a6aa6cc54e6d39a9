// SPDX-License-Identifier: Apache-2.0
// Measures the runtime layer: the calls that an OCI runtime makes under the container's filter
// before the container's own program runs. They differ between runtimes and their versions (K8), so
// they are measured with the very binary: a container whose program we wrote is created, started
// and entered once, and removed. wardd keeps results by the binary's hash; a filter that is used
// without the shim is made of them (profiles/runtime_calls.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace ward::recorder {

struct CalibrationRequest {
  std::filesystem::path runtime;         // runc, or crun with the same command line
  std::filesystem::path work_directory;  // exists; everything is made below a new directory in it
  bool no_new_privileges = true;
  int stop = -1;  // borrowed; readable: give up (kCanceled)
};

struct RuntimeLayer {
  std::set<int> create;      // native numbers, of the start of a container
  std::set<int> exec;        // of an exec session
  std::string version = {};  // "1.3.6", as the binary says it; empty: it does not
  bool operator==(const RuntimeLayer&) const = default;
};

// One sample: a runtime written in Go has calls that depend on its scheduler (futex, rt_sigreturn,
// ...), so a caller that needs all of them allows those too, and unites what it measured before
// with what it measures now. Takes about half a second and has programs of its own attached
// meanwhile: call it from a thread that may wait. Needs root. Whatever happens, no container,
// directory or program stays, unless we are killed: calibration_remains.h clears that away.
// kUnimplemented where we have no program for this machine.
Result<RuntimeLayer> calibrate(const CalibrationRequest& request);

// Of a runtime's answer to `--version`: the word after "version" in its first line.
std::string parse_runtime_version(std::string_view answer);

}  // namespace ward::recorder
