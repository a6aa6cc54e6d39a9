// SPDX-License-Identifier: Apache-2.0
// The child of the shim that makes one bundle: it starts a reader, keeps what that hands over,
// waits for the word to write, and writes. It never touches the container itself, so it ends in its
// time however the reader is made to hang. Not on the loop, and in no other process.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "shim/supervisor/evidence_request.h"

namespace ward::shim::supervisor {

inline constexpr const char* kIncompleteMarker = "incomplete.txt";
inline constexpr int kNoErrno = 255;  // the exit status where no system call failed

// In place, into the space that was reserved: on a full disk a new file would be refused. The rest
// is given back.
Result<void> write_evidence_marker(const std::filesystem::path& path, std::string_view text);

// What `orders` is told, to its end: the violation as it is to be shown, and what was done when.
std::string evidence_order(const node::v1::Violation& violation,
                           const std::vector<TimelineEntry>& timeline);

// Closes every other descriptor. Writes one byte to `tells` when all is read that goes with the
// processes. The exit status: 0, an errno or kNoErrno.
int run_evidence_collector(EvidenceRequest request, int orders, int tells);

}  // namespace ward::shim::supervisor
