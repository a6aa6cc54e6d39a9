// SPDX-License-Identifier: Apache-2.0
// The container's own filter, compiled under a bound: it is a tenant's, and libseccomp does not
// come back from some sets of rules.
#pragma once

#include "lib/base/result.h"
#include "lib/oci/seccomp.h"
#include "profiles/filter/own_filter.h"
#include "shim/admission/filter_cache.h"

namespace ward::shim::admission {

// kInvalidArgument for what the runtime would refuse, kDeadlineExceeded for what takes longer than
// half a second of processor time, kUnavailable where the node is too busy to say; in each case
// with the reason. What is made is kept in `cache`, and found there.
Result<filter::OwnFilter> make_own_filter(const oci::Seccomp& seccomp,
                                          const filter::RuntimeHabits& habits,
                                          const FilterCache& cache = FilterCache({}));

}  // namespace ward::shim::admission
