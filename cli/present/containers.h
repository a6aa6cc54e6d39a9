// SPDX-License-Identifier: Apache-2.0
// The table of containers that `ps` and `quarantine list` share.
#pragma once

#include <string>

#include "cli/present/style.h"
#include "ward/v1/api.pb.h"

namespace ward::cli {

std::string container_table(const ward::v1::ListContainersResponse& containers, const Style& style);

}  // namespace ward::cli
