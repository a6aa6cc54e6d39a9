// SPDX-License-Identifier: Apache-2.0
// The recorder's maps and attached programs as descriptors, however they came to be: loaded now or
// taken over from the pins of an earlier wardd. Used by recorder.cc and observe.cc; knows what is
// in the maps, not what it means.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "enforcer/recorder/bpf/record.h"
#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward::recorder {

struct KernelSide {
  UniqueFd tags, runs, layout, tables;
  std::array<UniqueFd, 7> links;

  // Every object with the name it is pinned under. The layout is last: where it is pinned, all the
  // others are.
  std::vector<std::pair<std::string, UniqueFd*>> objects();
};

// The programs in the kernel, verified but idle: loading takes about 100 ms, attaching one.
// Move-only.
class LoadedPrograms {
 public:
  // The error says what the kernel lacks, or quotes libbpf's first complaint.
  static Result<LoadedPrograms> load();
  LoadedPrograms(LoadedPrograms&& other) noexcept;
  LoadedPrograms& operator=(LoadedPrograms&& other) noexcept;
  ~LoadedPrograms();  // what is attached by descriptors of a KernelSide, or pinned, stays

  // They run until detach() was called and the KernelSide and its pins are gone.
  Result<KernelSide> attach();
  void detach();

 private:
  struct Skeleton;
  explicit LoadedPrograms(std::unique_ptr<Skeleton> skeleton);
  std::unique_ptr<Skeleton> skeleton_;
};

// Which layout this build reads and writes: sizes, windows and watched arguments.
std::uint64_t layout_fingerprint();
Result<std::uint64_t> read_layout(const KernelSide& kernel);

Result<ward_run> read_run(const KernelSide& kernel, std::uint32_t slot);
Result<void> write_run(const KernelSide& kernel, std::uint32_t slot, const ward_run& run);

// Gives the slot empty tables, or takes them away; what the slot's tasks do without tables is not
// recorded.
Result<void> add_tables(const KernelSide& kernel, std::uint32_t slot);
std::uint32_t tables_per_run();  // the shared one and one for each CPU that this machine can have
void drop_tables(const KernelSide& kernel, std::uint32_t slot);

// Tags a process with one thread. kNotFound where it is gone.
Result<void> tag_process(const KernelSide& kernel, pid_t pid, ward_tag tag);

// Events that the kernel kept from our programs because one was running on that CPU already; over
// all programs.
std::uint64_t missed_events(const KernelSide& kernel);

// The watched arguments by set: (syscall number, argument index); number -1 where this machine
// lacks the syscall.
std::vector<std::pair<int, std::uint32_t>> watched_sets();

}  // namespace ward::recorder
