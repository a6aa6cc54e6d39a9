// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recorder/pins.h"

#include <bpf/bpf.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "enforcer/recorder/recorder.h"

namespace ward::recorder {

std::string what_pinning_lacks(const std::filesystem::path& pin_dir) {
  if (pin_dir.empty()) return "no directory for pins is set";
  const std::filesystem::path parent = pin_dir.parent_path();
  struct statfs file_system {};
  if (::statfs(parent.c_str(), &file_system) != 0)
    return parent.string() +
           " does not exist: create it on a bpf file system (mount -t bpf bpf /sys/fs/bpf)";
  if (static_cast<std::uint64_t>(file_system.f_type) != BPF_FS_MAGIC)
    return parent.string() + " is not on a bpf file system: mount -t bpf bpf " + parent.string();
  if (::access(parent.c_str(), W_OK | X_OK) != 0) return parent.string() + " cannot be written";
  return "";
}

Result<void> pin(KernelSide& kernel, const std::filesystem::path& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno("create " + directory.string());
  for (const auto& [name, fd] : kernel.objects()) {
    if (bpf_obj_pin(fd->get(), (directory / name).c_str()) != 0) {
      const int error = errno;
      unpin(directory);
      return fail_errno("pin " + (directory / name).string(), error);
    }
  }
  return {};
}

Result<std::optional<KernelSide>> find_pinned(const std::filesystem::path& directory) {
  KernelSide kernel;
  std::string missing;
  std::size_t found = 0;
  for (const auto& [name, fd] : kernel.objects()) {
    fd->reset(bpf_obj_get((directory / name).c_str()));
    if (*fd) {
      ++found;
    } else {
      missing = name;
    }
  }
  if (found == 0) return std::optional<KernelSide>();
  if (!missing.empty())
    return fail(Code::kFailedPrecondition, "incomplete, '" + missing + "' is missing");
  auto layout = read_layout(kernel);
  if (!layout) return tl::unexpected(layout.error());
  if (*layout != layout_fingerprint())
    return fail(Code::kFailedPrecondition, "written by another version of Ward");
  return std::optional<KernelSide>(std::move(kernel));
}

void unpin(const std::filesystem::path& directory) {
  KernelSide names;
  for (const auto& [name, fd] : names.objects()) ::unlink((directory / name).c_str());
  ::rmdir(directory.c_str());
}

}  // namespace ward::recorder
