// SPDX-License-Identifier: Apache-2.0
// `ward profile simulate`: what a profile would have done in the lives that were recorded of a
// workload, and about the calls that events tell of.
#pragma once

#include "lib/base/result.h"
#include "ward/v1/api.pb.h"

namespace ward::enforcer {

struct Node;

// kInvalidArgument: no profile, with file:line:column. kNotFound: there are neither recordings nor
// events.
Result<v1::SimulateProfileResponse> simulate_profile(Node& node,
                                                     const v1::SimulateProfileRequest& request);

}  // namespace ward::enforcer
