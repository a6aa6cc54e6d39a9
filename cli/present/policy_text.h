// SPDX-License-Identifier: Apache-2.0
// Which rule decides over a container, what follows, and why each rule before it does not.
#pragma once

#include <string>

#include "cli/present/style.h"
#include "ward/v1/api.pb.h"

namespace ward::cli {

std::string policy_text(const ward::v1::PolicyVerdict& verdict, const Style& style);

}  // namespace ward::cli
