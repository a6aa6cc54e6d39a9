// SPDX-License-Identifier: Apache-2.0
// <state>/evidence as wardd sees it: one directory for each violation that shims contained. Looks
// at what is there and removes what the limits say (retention.h). Symbolic links are never
// followed, and what no shim made is left alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "enforcer/evidence/retention.h"
#include "lib/base/result.h"

namespace ward::enforcer {

class EvidenceDirectory {
 public:
  explicit EvidenceDirectory(std::filesystem::path root) : root_(std::move(root)) {}

  // One pass; what was removed. Work is bounded, the next pass goes on: so many directories are
  // looked into for the first time and so many removed. What a collector may still be writing to is
  // left for later. Logs what cannot be removed, once.
  static constexpr std::size_t kMaxLooksOfOnePass = 128;
  static constexpr std::size_t kMaxRemovalsOfOnePass = 128;
  // `removing` is told of each before it goes.
  Result<std::vector<Removal>> expire(
      const EvidenceLimits& limits, std::int64_t now_wall_ns,
      const std::function<void(const Removal&)>& removing = [](const Removal&) {});
  // Those that no collector writes to any more, as far as the last pass looked into them.
  [[nodiscard]] std::vector<EvidenceBundle> complete() const;
  [[nodiscard]] std::vector<std::string> problems() const;  // what cannot be removed; for people

 private:
  Result<void> look(int root, std::int64_t now_wall_ns);

  std::filesystem::path root_;
  std::map<std::string, EvidenceBundle>
      complete_;  // by name: their contents do not change any more
  std::map<std::string, std::string>
      stuck_;  // could not be removed, and why; tried again now and then
  std::uint64_t passes_ = 0;
};

}  // namespace ward::enforcer
