// SPDX-License-Identifier: Apache-2.0
#include "cli/node/kernel_facts.h"

#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>
#include <sstream>

#include "lib/base/file.h"

namespace ward::cli::node {
namespace fs = std::filesystem;
namespace {

constexpr const char* kCgroups = "/sys/fs/cgroup";

bool is_file_system(const fs::path& path, unsigned long magic) {
  struct statfs status = {};
  return ::statfs(path.c_str(), &status) == 0 && static_cast<unsigned long>(status.f_type) == magic;
}

void read_cgroups(KernelFacts& facts) {
  std::error_code error;
  fs::path unified;
  if (is_file_system(kCgroups, CGROUP2_SUPER_MAGIC)) {
    facts.cgroups = Cgroups::kV2;
    unified = kCgroups;
  } else if (is_file_system(fs::path(kCgroups) / "unified", CGROUP2_SUPER_MAGIC)) {
    facts.cgroups = Cgroups::kHybrid;
    unified = fs::path(kCgroups) / "unified";
  } else if (fs::exists(fs::path(kCgroups) / "memory", error)) {
    facts.cgroups = Cgroups::kV1;
  }
  facts.freezer = fs::exists(fs::path(kCgroups) / "freezer", error);
  if (unified.empty()) return;
  std::istringstream words(read_file(unified / "cgroup.controllers").value_or(""));
  for (std::string word; words >> word;) facts.controllers.push_back(word);
  // cgroup.freeze came with 5.2; the root has none.
  facts.freezer = facts.freezer || facts.version >= Version{5, 2, 0, false};
}

void read_clock(KernelFacts& facts) {
  timex state = {};
  facts.clock_synchronized = ::adjtimex(&state) >= 0 && (state.status & STA_UNSYNC) == 0;
  // 2025: no clock that was ever set is before this program was written.
  constexpr std::time_t kEarliest = 1735689600;
  facts.clock_plausible = std::time(nullptr) > kEarliest;
}

void read_disk(KernelFacts& facts, const Places& places) {
  facts.state = places.state;
  std::error_code error;
  fs::path there = places.state;
  while (there.has_relative_path() && !fs::exists(there, error)) there = there.parent_path();
  const auto space = fs::space(there, error);
  if (error || space.capacity == 0) return;
  facts.free_bytes = space.available;
  facts.free_percent = static_cast<int>(space.available / (space.capacity / 100 + 1));
}

}  // namespace

KernelFacts read_kernel(const Places& places) {
  KernelFacts facts;
  utsname name = {};
  if (::uname(&name) == 0) {
    facts.release = name.release;
    facts.machine = name.machine;
    facts.version = find_version(facts.release).value_or(Version());
    facts.version.pre = false;
  }
  facts.btf = ::access("/sys/kernel/btf/vmlinux", R_OK) == 0;
  std::uint32_t action = SECCOMP_RET_USER_NOTIF;
  facts.notify = ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
  read_cgroups(facts);
  facts.bpf_file_system = is_file_system("/sys/fs/bpf", BPF_FS_MAGIC);
  facts.lsms = read_file("/sys/kernel/security/lsm").value_or("");
  read_clock(facts);
  read_disk(facts, places);
  return facts;
}

}  // namespace ward::cli::node
