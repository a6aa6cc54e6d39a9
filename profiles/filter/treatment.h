// SPDX-License-Identifier: Apache-2.0
// Which rule governs a container, and what it says once its templates, its missing profile and the
// pod's annotations are taken into account. It reads the index that it is given, and nothing else
// on disk. Shims ask at every start; wardd asks where a person wants to know.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "profiles/filter/index_reader.h"
#include "ward/node/v1/compiled.pb.h"
#include "ward/node/v1/types.pb.h"

namespace ward::filter {

inline constexpr std::string_view kModeAnnotation = "ward.dev/mode";
inline constexpr std::string_view kActionAnnotation = "ward.dev/action";
inline constexpr std::string_view kSessionsAnnotation = "ward.dev/exec";

struct Treatment {
  node::v1::Mode mode = node::v1::MODE_OFF;
  std::string policy;  // empty: no rule matched
  std::string workload;
  std::string compiled_sha256;  // set exactly in modes supervise and enforce
  node::v1::Actions actions;    // complete in modes supervise and enforce
  node::v1::Sessions sessions = node::v1::SESSIONS_LAYER;  // likewise
  std::string sessions_refused_by;                         // who says so, for people; empty: nobody
  std::vector<std::string> notes;
  // Where a person asked for it, and no policy has anything to say: mode learn until then.
  std::string record_id;
  std::int64_t record_until_wall_ns = 0;
};

// {container}, {pod} and {namespace} replaced. Always a name, and never the same for two containers
// that differ in a replaced value: where putting the values in would not tell them apart (a value
// of other characters or none, too long, or two values without '_' between), the name ends in "__"
// and a digest of the template and all values.
std::string expand(std::string_view name_template, const node::v1::Identity& identity);

// What recordings are kept under where the rule does not say: a name of this container, by all that
// is known of it, and never that of a stranger. In Kubernetes by namespace, pod, container and
// image; the readable part leaves the image out. The pod's whole name: which part of it a
// controller made is a guess that whoever may create pods could use. Elsewhere by containerd's
// namespace and the container's id, which root gives.
std::string default_workload(const node::v1::Identity& identity);

// An error refuses the container: its profile is missing and the rule says so, or the index is
// damaged where it was looked up.
Result<Treatment> decide_treatment(IndexReader& index, const node::v1::Identity& identity,
                                   const std::map<std::string, std::string>& annotations);

}  // namespace ward::filter
