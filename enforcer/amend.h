// SPDX-License-Identifier: Apache-2.0
// `amend: auto` on this node: the book of amendments, and the compiled files that shims read.
// `ward amend`.
#pragma once

#include "lib/base/result.h"
#include "ward/v1/api.pb.h"

namespace ward::enforcer {

struct Node;

// Before files are read for the first time: what this node has let run so far stays in force.
void remember_amendments(Node& node);
// Now and then, and where another version or policy is in force.
void amend(Node& node);

// kNotFound: there is no profile of that name.
Result<v1::ListAmendmentsResponse> list_amendments(const Node& node,
                                                   const v1::ListAmendmentsRequest& request);
// kNotFound where there is none. On any other error they are dropped, and are in force until the
// compiled files can be written.
Result<v1::DropAmendmentsResponse> drop_amendments(Node& node,
                                                   const v1::DropAmendmentsRequest& request);

}  // namespace ward::enforcer
