// SPDX-License-Identifier: Apache-2.0
// `ward profile propose`: the journal's events of a profile's containers, as its next version.
#pragma once

#include "lib/base/result.h"
#include "ward/v1/api.pb.h"

namespace ward::enforcer {

struct Node;

// kNotFound: no such profile is in force, or nothing happened outside of it.
Result<v1::ProposeProfileResponse> propose_profile(Node& node,
                                                   const v1::ProposeProfileRequest& request);

}  // namespace ward::enforcer
