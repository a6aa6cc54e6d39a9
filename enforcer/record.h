// SPDX-License-Identifier: Apache-2.0
// `ward record`: a person's request for recordings without a policy. What starts from now on is a
// matter of the index (RecordRule), which shims read; what runs already is asked of its shim and
// joined by the recorder. The request is kept nowhere but in the index and in the containers that
// say that they are recorded for it, so it outlives wardd, and ends by its time whoever is away.
// Core loop only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "lib/base/result.h"
#include "ward/node/v1/compiled.pb.h"
#include "ward/node/v1/node.pb.h"
#include "ward/v1/api.pb.h"

namespace ward::enforcer {

struct Node;

// kInvalidArgument with what would be right.
Result<node::v1::RecordRule> make_record_rule(const v1::RecordRequest& request,
                                              std::int64_t now_wall_ns);

// What is to be done about a container that is there.
struct Joining {
  enum class What {
    kNothing,
    kJoin,
    kGoesOn,  // it is recorded for this request already
    kRefuse,
  };
  What what = What::kNothing;
  std::string why;  // it is refused, and what to do; of kRefuse alone
};
Joining judge(const node::v1::RecordRule& rule, const node::v1::ContainerStatus& container);

void record(Node& node, const v1::RecordRequest& request,
            std::function<void(Result<v1::RecordResponse>)> done);
void end_record(Node& node, const v1::EndRecordRequest& request,
                std::function<void(Result<v1::RecordResponse>)> done);

}  // namespace ward::enforcer
