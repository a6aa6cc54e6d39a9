// SPDX-License-Identifier: Apache-2.0
// What changed in the container's writable layer: the upper directory of its overlay. Which
// directory that is comes from our own mount table, because the container may write its own. The
// walk leaves neither the directory nor its file system, follows no link, opens regular files only,
// and ends at its bounds. For .cc files of evidence only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "lib/base/unique_fd.h"
#include "shim/supervisor/evidence_json.h"
#include "shim/supervisor/evidence_parts.h"
#include "shim/supervisor/evidence_request.h"

namespace ward::shim::supervisor {

struct ChangeBounds {
  std::size_t entries = 100'000;        // looked at
  std::size_t name_bytes = 32U << 20U;  // of all paths together: they are the container's to choose
  std::size_t listed = 512;             // the newest of them
  std::size_t copies = 8;               // of at most copy_bytes, each a file of the bundle
  std::size_t copy_bytes = 32U << 10U;
  std::uint64_t hashed_file_bytes = 16U << 20U;
  std::uint64_t hashed_bytes = 128U << 20U;
  std::int64_t ends_ns = 0;  // monotonic
};

// Of `<bundle>/rootfs`, from a text of mountinfo; empty where it is no overlay, or has none.
std::string find_upper_directory(const std::string& mountinfo, const std::filesystem::path& rootfs);

// Opened, so that it is the same one after an unmount; no descriptor: `why` says why not.
UniqueFd open_upper_directory(const EvidenceRequest& request, std::string& why);

// Hands over `changed_files` and `changed_files_in_all`, and copies as files of the bundle.
void read_changes(int upper, const ChangeBounds& bounds, const PartSink& sink, LeftOut& left_out);

}  // namespace ward::shim::supervisor
