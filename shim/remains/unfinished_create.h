// SPDX-License-Identifier: Apache-2.0
// For `delete`: what a runtime leaves that died together with the shim while it created a
// container. It keeps no record yet, or an empty one, which would keep the id in use, and may have
// made any number of the container's cgroups.
#pragma once

#include <filesystem>
#include <string>

#include "lib/base/result.h"

namespace ward::shim::remains {

struct UnfinishedCreate {
  std::string cgroups_path;      // of config.json; empty: nothing to do
  std::filesystem::path record;  // the runtime's directory for the container
};

// The bundle is read, so this comes first: a client's delete may take it away meanwhile. Nothing to
// do where the bundle has an init.pid. A runtime that is still at work is killed: it should die
// with the shim, but the kernel closes the shim's connections, for which `delete` is run, some
// moments before it tells the shim's children.
UnfinishedCreate stop_unfinished_create(const std::filesystem::path& bundle,
                                        const std::filesystem::path& record);

// Waits at most a second. Nobody is killed in cgroups that only a document names: what the runtime
// was preparing ends by itself.
Result<void> remove_remains(const UnfinishedCreate& create);

}  // namespace ward::shim::remains
