// SPDX-License-Identifier: Apache-2.0
// What the API offers, in terms of the node's parts. The node outlives the operations.
#pragma once

#include "enforcer/api/operations.h"

namespace ward::enforcer {

struct Node;

Operations make_operations(Node& node);

}  // namespace ward::enforcer
