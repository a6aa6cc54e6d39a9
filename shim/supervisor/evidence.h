// SPDX-License-Identifier: Apache-2.0
// Takes evidence without ever making the loop wait. A forked collector waits for two things: what a
// reader of its own hands over (evidence_reader.h), and the word of the loop that the bundle may be
// written (evidence_bundle.h). So the reading can begin before a kill, and nothing is written to a
// disk before it. The directory exists before a record names it.
#pragma once

#include <asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "lib/base/result.h"
#include "shim/supervisor/evidence_request.h"

namespace ward::shim::supervisor {

inline constexpr std::chrono::seconds kEvidenceDeadline{5};
inline constexpr std::size_t kMaxEvidenceDirectories = 1000;

// Makes `<root>/<event id>`, and in it incomplete.txt, which reserves some space: a full disk is an
// error here, while the record can still say so. The collector removes the file, or writes into it
// why it failed. kResourceExhausted where there are too many: evidence is refused then, enforcement
// never.
Result<std::filesystem::path> make_evidence_directory(const std::filesystem::path& root,
                                                      const std::string& event_id);

// One bundle on its way. The child is not one that wait4(-1) reaps, so nobody else's bookkeeping
// meets it. Forgotten before write(): the child ends, and nothing was written.
class Collection {
 public:
  // Forks; what can be read is read from now on. `captured` comes from the loop, once: what goes
  // with the container's processes has been read, or will not be.
  static Result<std::shared_ptr<Collection>> begin(asio::io_context& loop, EvidenceRequest request,
                                                   std::chrono::nanoseconds deadline,
                                                   std::function<void()> captured);
  ~Collection();
  Collection(const Collection&) = delete;
  Collection& operator=(const Collection&) = delete;

  // The directory of the request exists by now. `done` comes from the loop when the bundle is
  // complete, or failed, or the child was killed at the deadline, which begins anew.
  void write(const node::v1::Violation& violation, const std::vector<TimelineEntry>& timeline,
             std::function<void(Result<void>)> done);

 private:
  struct State;
  explicit Collection(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

// Both at once, for a directory that exists.
void collect_evidence(asio::io_context& loop, EvidenceRequest request,
                      std::chrono::nanoseconds deadline, std::function<void(Result<void>)> done);

}  // namespace ward::shim::supervisor
