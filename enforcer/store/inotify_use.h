// SPDX-License-Identifier: Apache-2.0
// Who holds the inotify instances of this node, for people: fs.inotify.max_user_instances (128 by
// default) is one limit for everything that runs as root. Looks through /proc, so it is asked only
// when an instance could not be had.
#pragma once

#include <filesystem>
#include <string>

namespace ward::enforcer {

// "root holds 128 inotify instances (containerd 3, systemd 2, ...), the limit is
// fs.inotify.max_user_instances = 128: set it to 1024 (sysctl)". `proc` is where /proc is.
std::string describe_inotify_use(const std::filesystem::path& proc = "/proc");

}  // namespace ward::enforcer
