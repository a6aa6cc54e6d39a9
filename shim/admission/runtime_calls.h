// SPDX-License-Identifier: Apache-2.0
// The runtime's init makes calls under the container's filter before it becomes the container's
// program. A container's own filter that refuses them keeps the container from starting, and the
// runtime's words for it do not say so.
#pragma once

#include <string>

#include "profiles/filter/own_filter.h"

namespace ward::shim::admission {

// For people, where the own filter refuses such calls whatever their arguments: which, and what to
// do; else empty. Without `no_new_privileges` the filter is in force earlier, and the runtime needs
// more.
std::string refused_to_the_runtime(const filter::OwnFilter& own, bool no_new_privileges);

}  // namespace ward::shim::admission
