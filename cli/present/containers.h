// SPDX-License-Identifier: Apache-2.0
// The table of containers that `ps` and `quarantine list` share.
#pragma once

#include <string>

#include "cli/present/style.h"
#include "ward/v1/api.pb.h"

namespace ward::cli {

// "k8s.io/<id> (shop/cart/app)", escaped: what a destructive verb says it has done something to.
std::string full_name(const ward::v1::Container& container);

std::string container_table(const ward::v1::ListContainersResponse& containers, const Style& style);

}  // namespace ward::cli
