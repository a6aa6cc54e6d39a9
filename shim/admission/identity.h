// SPDX-License-Identifier: Apache-2.0
// Who a container is, from what containerd and the pod say in config.json. Labels and contents of
// the image are no input.
#pragma once

#include <string>

#include "lib/base/result.h"
#include "lib/oci/bundle.h"
#include "ward/node/v1/types.pb.h"

namespace ward::shim::admission {

node::v1::Identity identify(const oci::Config& config, const std::string& containerd_namespace,
                            const std::string& container_id);

// Every rule of the node is held against these texts, and every violation carries them: one that is
// longer than any real name is an error, which refuses the container.
Result<void> check_lengths(const node::v1::Identity& identity);

}  // namespace ward::shim::admission
