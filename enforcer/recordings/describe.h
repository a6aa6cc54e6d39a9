// SPDX-License-Identifier: Apache-2.0
// A workload's recording for people: runs laid over each other, with coverage and what to beware
// of; and the node's runtime, as it was measured. Pure.
#pragma once

#include "enforcer/recordings/calibrations.h"
#include "enforcer/recordings/recordings.h"
#include "ward/v1/api.pb.h"

namespace ward::enforcer {

v1::RecordingSummary summarize(const WorkloadRecording& recording);
v1::Recording describe(const WorkloadRecording& recording);  // without the runtime
v1::Runtime describe(const RuntimeInUse& runtime);

}  // namespace ward::enforcer
