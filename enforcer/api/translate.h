// SPDX-License-Identifier: Apache-2.0
// From wardd's own values to the messages of the API. Pure; no gRPC here.
#pragma once

#include <string>

#include "enforcer/journal/journal.h"
#include "enforcer/node_link/container_table.h"
#include "ward/v1/api.pb.h"

namespace ward::enforcer {

v1::Container to_api(const ContainerEntry& entry);
v1::Event to_api(const JournalRecord& record);

std::string state_name(node::v1::ContainerState state);  // "RUNNING"

}  // namespace ward::enforcer
