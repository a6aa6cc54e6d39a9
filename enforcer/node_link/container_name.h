// SPDX-License-Identifier: Apache-2.0
// How a person names a container. The id always does. Besides it `namespace/id`, where the
// namespace is that of Kubernetes for a CRI container and containerd's for others; and for a CRI
// container `container`, `pod/container`, `namespace/container` and `namespace/pod/container`. Such
// a name may fit several: then it names none.
#pragma once

#include <string>

#include "ward/node/v1/types.pb.h"

namespace ward::enforcer {

[[nodiscard]] bool is_named(const node::v1::Identity& identity,
                            const std::string& name);  // by more than its id

// "k8s.io/<id> (shop/cart/app)": which one, whatever there is beside it.
[[nodiscard]] std::string full_name(const node::v1::Identity& identity);

}  // namespace ward::enforcer
