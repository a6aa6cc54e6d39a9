// SPDX-License-Identifier: Apache-2.0
// What an evidence directory says, as plain values. A container has influenced all of it: every
// list and every text is bounded, a value of another kind than expected is left out, and nothing
// here fails for what a document holds. Its strings were escaped by whoever took the evidence.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/result.h"

namespace ward::cli {

struct SeenProcess {
  std::int64_t pid = 0, parent = 0;
  std::string state, comm, exe;
  std::vector<std::string> arguments;
  std::optional<std::int64_t> uid;
  std::string capabilities;  // effective, hexadecimal
  bool gone = false;
};

struct CallArgument {
  std::string raw, text;
  std::optional<std::string> string;  // what a pointer led to; evidence, never input
  bool truncated = false;
};

struct Frame {
  std::string module, offset, symbol;
};

struct MappedFile {
  std::string path, sha256, package;
};

struct ChangedFile {
  std::string path, change, sha256, copied_as;
  std::uint64_t bytes = 0;
};

struct Moment {
  std::int64_t at_ns = 0;
  std::string what;
};

using NamedValue = std::pair<std::string, std::string>;

struct Evidence {
  std::string image, cgroup, syscall;
  bool redacted = true;
  std::int64_t answered_ns = 0, contained_ns = 0, took_ns = 0;
  std::vector<SeenProcess> chain;  // the offender first, then its ancestors
  std::vector<SeenProcess> processes;
  std::uint64_t processes_in_all = 0;
  std::vector<std::string> environment;
  std::vector<NamedValue> descriptors;
  std::vector<CallArgument> arguments;
  std::vector<Frame> stack;
  std::vector<MappedFile> maps;
  std::vector<ChangedFile> changed_files;
  std::uint64_t changed_files_in_all = 0;
  std::vector<NamedValue> counters;
  std::vector<Moment> timeline;
};

inline constexpr std::size_t kMaxEvidenceBytes = 8U << 20U;
inline constexpr std::size_t kMaxEvidenceDepth = 24;
inline constexpr std::size_t kMaxEvidenceValues = 200'000;
inline constexpr std::size_t kMaxRows = 512;  // of a list

// kInvalidArgument where it is no JSON object within these limits.
Result<Evidence> parse_evidence(std::string_view json);

struct Bundle {
  bool found = false;
  bool complete = false;  // it is sealed with SHA256SUMS
  Evidence evidence;
  std::string json;                // as it lies there, for who wants all of it; may be cut
  std::string mounts, sockets;     // lines
  std::vector<std::string> notes;  // what could not be read, and why; for people
};

// Reads a directory that an event names. Follows no symbolic link and waits for nothing; what is
// not there, or is not what it should be, is a note.
Bundle read_bundle(const std::filesystem::path& directory);

}  // namespace ward::cli
