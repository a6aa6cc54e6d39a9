// SPDX-License-Identifier: Apache-2.0
#include "shim/task/rootfs.h"

#include <string_view>

#include "lib/base/digest.h"
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/linux/mount.h"

namespace ward::shim::task {

Result<void> mount_rootfs(const std::filesystem::path& bundle,
                          const std::vector<RootfsMount>& mounts) {
  const auto rootfs = bundle / "rootfs";
  if (mounts.empty()) return {};
  std::error_code error;
  std::filesystem::create_directory(rootfs, error);
  if (error) return fail_errno("mkdir " + rootfs.string(), error.value());
  for (const auto& mount : mounts) {
    const std::filesystem::path below =
        std::filesystem::path("/" + mount.target).lexically_normal().relative_path();
    // What is mounted already is the image's, and so are its links.
    const auto target =
        below.empty() ? Result<std::filesystem::path>(rootfs) : resolve_inside(rootfs, below);
    auto mounted = target ? mount_at(mount.type, mount.source, *target, mount.options)
                          : tl::unexpected(target.error());
    if (mounted) continue;
    if (auto undone = unmount_rootfs(bundle); !undone) log::warn(undone.error().message);
    return fail_with("rootfs", mounted.error());
  }
  return {};
}

std::string digest_of_layers(const std::vector<RootfsMount>& mounts) {
  constexpr std::string_view kLayers = "lowerdir=";
  std::string all;
  for (const auto& mount : mounts) {
    if (mount.type != "overlay") continue;
    for (const std::string& option : mount.options)
      if (option.rfind(kLayers, 0) == 0)
        all += mount.target + "\n" + option.substr(kLayers.size()) + "\n";
  }
  return all.empty() ? all : sha256_hex(all);
}

Result<void> unmount_rootfs(const std::filesystem::path& bundle) {
  if (auto ok = fault::point("rootfs.unmount"); !ok) return ok;
  const auto rootfs = bundle / "rootfs";
  auto ok = unmount_tree(rootfs);
  if (!ok) return fail_with("rootfs", ok.error());
  return ok;
}

}  // namespace ward::shim::task
