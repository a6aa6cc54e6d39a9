// SPDX-License-Identifier: Apache-2.0
// Files that a process has mapped, and the SHA-256 of those it can execute. They are opened while
// the process is there, by what is mapped and not by a path, and hashed afterwards. Nothing is
// opened that could answer late or never: only regular files, on file systems of this machine. For
// .cc files of evidence only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "lib/base/unique_fd.h"
#include "shim/supervisor/evidence_json.h"
#include "shim/supervisor/evidence_memory.h"

namespace ward::shim::supervisor {

// "08:01" -> "ext4": the file systems that the mount tables show, of the process and our own.
using FileSystems = std::map<std::string, std::string>;
FileSystems read_file_systems(const EvidenceRequest& request);
// Of those that ask another program or another machine, and so may wait for ever.
bool may_not_answer(const std::string& type);

// SHA-256 of what is behind a descriptor; empty, and why, beyond a bound.
struct HashBounds {
  std::uint64_t file_bytes;
  std::uint64_t all_bytes;   // left of them
  std::int64_t ends_ns = 0;  // monotonic
};
std::string hash_file(int fd, HashBounds& bounds, std::string& why);

class MappedFiles {
 public:
  static constexpr std::size_t kMaxFiles = 256;   // listed
  static constexpr std::size_t kMaxHashed = 128;  // of them

  MappedFiles(const EvidenceRequest& request, const std::vector<Mapping>& maps);
  void hash(std::int64_t ends_ns);
  [[nodiscard]] Json list() const;  // `maps` of evidence.json: executable ones first
  [[nodiscard]] std::size_t dropped() const { return dropped_; }  // beyond kMaxFiles

  struct Opened {
    std::size_t index;  // in list()
    std::string path;   // raw
    int fd;             // lent
  };
  [[nodiscard]] std::vector<Opened> opened() const;

 private:
  struct File {
    Mapping first;
    std::uint64_t bytes = 0;
    bool executable = false, writable = false;
    UniqueFd fd;
    std::string sha256, why;
  };
  static constexpr std::size_t kDropped = SIZE_MAX;

  void add(const Mapping& one);
  void open(File& file, const EvidenceRequest& request, const FileSystems& systems);

  std::vector<File> files_;
  // Which of them it is, by device, inode and path; by its start where it is no file.
  std::map<std::tuple<std::string, std::string, std::string>, std::size_t> known_;
  std::size_t dropped_ = 0;
};

}  // namespace ward::shim::supervisor
