// SPDX-License-Identifier: Apache-2.0
// Templates of names in a policy's rule: profile: "{namespace}_{container}". What is wrong with
// one, and who chooses what it becomes. The shim puts the values in (profiles/filter/treatment.h,
// expand).
#pragma once

#include <string>
#include <string_view>

#include "profiles/profile.h"

namespace ward::profiles {

// Empty where the template is good; else what would be right.
std::string check_name_template(std::string_view text);

// The rule names its containerd namespaces, and that of Kubernetes is not among them.
bool never_kubernetes(const Selector& selector);

// A sentence for people where those who may create pods choose the name by their own text; else
// empty. A rule that names its Kubernetes namespaces leaves the choice to their tenants only, and
// {namespace} in the template keeps each tenant among names of its own. Where no rule can meet a
// pod, names are given by root.
std::string describe_tenants_choice(const PolicyRule& rule, std::string_view text);

}  // namespace ward::profiles
