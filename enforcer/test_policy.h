// SPDX-License-Identifier: Apache-2.0
// What the policies in force would do with a container that starts now, and why no earlier rule
// does it: asked of the index that shims read, with the very decision of theirs.
#pragma once

#include "enforcer/node.h"
#include "ward/v1/api.pb.h"

namespace ward::enforcer {

// kNotFound and kInvalidArgument: no such container, or nothing is described. A start that the
// policy would refuse is no error: the verdict says so.
Result<v1::PolicyVerdict> test_policy(const Node& node, const v1::TestPolicyRequest& request);

}  // namespace ward::enforcer
