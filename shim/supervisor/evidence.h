// SPDX-License-Identifier: Apache-2.0
// Takes evidence without ever making the loop wait: a forked child collects (evidence_bundle.h), a
// deadline kills it. The directory exists before start() returns, so a record may name it at once.
#pragma once

#include <asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <functional>

#include "lib/base/result.h"
#include "shim/supervisor/evidence_bundle.h"

namespace ward::shim::supervisor {

inline constexpr std::chrono::seconds kEvidenceDeadline{5};
inline constexpr std::size_t kMaxEvidenceDirectories = 1000;

// Makes `<root>/<event id>`, and in it incomplete.txt, which reserves some space: a full disk is an
// error here, while the record can still say so. The collector removes the file, or writes into it
// why it failed. kResourceExhausted where there are too many: evidence is refused then, enforcement
// never.
Result<std::filesystem::path> make_evidence_directory(const std::filesystem::path& root,
                                                      const std::string& event_id);

// Forks the collector; `done` comes from the loop when it has finished, failed or been killed. The
// child is not one that wait4(-1) reaps, so nobody else's bookkeeping meets it.
void collect_evidence(asio::io_context& loop, EvidenceRequest request,
                      std::chrono::nanoseconds deadline, std::function<void(Result<void>)> done);

}  // namespace ward::shim::supervisor
