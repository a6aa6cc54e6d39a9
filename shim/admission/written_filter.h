// SPDX-License-Identifier: Apache-2.0
// A filter of ours, held against what libseccomp makes of it, under a bound: a tenant's own filter
// is in it.
#pragma once

#include "lib/base/result.h"
#include "lib/oci/seccomp.h"
#include "shim/admission/filter_cache.h"

namespace ward::shim::admission {

// A filter of which libseccomp would make something else than it says is changed, so that it says
// less and is meant (profiles/filter/written_filter.h). What was found is kept in `cache`, and
// found there. kUnavailable where the node is too busy to say, kDeadlineExceeded where it takes
// longer than a second, kInvalidArgument where there is no program of it.
Result<void> mend_what_is_written_wrong(oci::Seccomp& filter, const FilterCache& cache);

}  // namespace ward::shim::admission
