// SPDX-License-Identifier: Apache-2.0
// Which containerd of a node is meant.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "cli/node/containerd.h"
#include "cli/node/record.h"

namespace ward::cli::node {

// By `socket`, else by the record, else the only one that answers at a usual socket. With
// `may_be_down` the record's stands for one that does not answer, with pid 0.
Result<Daemon> find_daemon(const std::filesystem::path& socket, const std::optional<Record>& record,
                           bool may_be_down);

// Pure. kFailedPrecondition where there are several: a person has to say which.
Result<Daemon> only_one(std::vector<Daemon> found);

}  // namespace ward::cli::node
