// SPDX-License-Identifier: Apache-2.0
// How the reader of evidence hands over what it has, piece by piece, through a pipe: it may hang at
// any of them, and what came before is kept.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace ward::shim::supervisor {

// Names of parts: a key of evidence.json, or kFilePrefix and the name of a file of the bundle.
inline constexpr std::string_view kFilePrefix = "file:";
inline constexpr std::string_view kCopyPrefix = "changed-";  // of such a file, where it is a copy
// Comes when all that goes with the processes has been read.
inline constexpr std::string_view kCaptured = "captured";
// The last one: what the reader itself left out, a list.
inline constexpr std::string_view kLeftOut = "left_out";

using Parts = std::map<std::string, std::string>;

class PartSink {
 public:
  explicit PartSink(int fd) : fd_(fd) {}
  // A later part of the same name takes the place of the earlier one.
  void give(std::string_view name, std::string_view text) const;

 private:
  int fd_;
};

class PartSource {
 public:
  static constexpr std::size_t kMaxBytes = 32U << 20U;

  // What is there now, of a descriptor that is ready. False: no more will come.
  bool read_from(int fd);
  [[nodiscard]] const Parts& parts() const { return parts_; }
  [[nodiscard]] bool has(std::string_view name) const { return parts_.contains(std::string(name)); }

 private:
  bool take_frames();

  std::string pending_;
  std::size_t bytes_ = 0;
  Parts parts_;
};

}  // namespace ward::shim::supervisor
