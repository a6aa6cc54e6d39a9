// SPDX-License-Identifier: Apache-2.0
// Which rule governs a container, and what it says once its templates, its missing profile and the pod's annotations
// are taken into account. It reads the index that it is given, and nothing else on disk.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compiled/index_reader.h"
#include "lib/base/result.h"
#include "ward/node/v1/compiled.pb.h"
#include "ward/node/v1/types.pb.h"

namespace ward::shim::admission {

inline constexpr std::string_view kModeAnnotation = "ward.dev/mode";
inline constexpr std::string_view kActionAnnotation = "ward.dev/action";

struct Treatment {
  node::v1::Mode mode = node::v1::MODE_OFF;
  std::string policy;  // empty: no rule matched
  std::string workload;
  std::string compiled_sha256;  // set exactly in modes supervise and enforce
  node::v1::Actions actions;    // complete in modes supervise and enforce
  std::vector<std::string> notes;
};

// {container}, {pod} and {namespace} replaced. Always a name, and never the same for two containers that differ in a
// replaced value: where putting the values in would not tell them apart (a value of other characters or none, too long,
// or two values without '_' between), the name ends in "__" and a digest of the template and all values.
std::string expand(std::string_view name_template, const node::v1::Identity& identity);

// An error refuses the container: its profile is missing and the rule says so, or the index is damaged where it was
// looked up.
Result<Treatment> decide_treatment(compiled::IndexReader& index, const node::v1::Identity& identity,
                                   const std::map<std::string, std::string>& annotations);

}  // namespace ward::shim::admission
