// SPDX-License-Identifier: Apache-2.0
// The text of Ward's runtime handler for containerd's configuration. Pure.
#pragma once

#include <string>
#include <vector>

#include "cli/node/settings.h"

namespace ward::cli::node {

struct Handler {
  std::string name = "ward";
  std::string shim;     // runtime_path; empty: containerd finds the shim in its PATH
  std::string options;  // ConfigPath; empty: none
};

// `carried` are runtimes of `before` that the file has to name too, because it names any at all.
std::string block_text(const Handler& handler, int version, const Settings& before,
                       const std::vector<std::string>& carried);

// The first line of the file of options that Ward makes: without it the file is a person's.
inline constexpr const char* kOptionsHead =
    "# made by `ward node install`; it is written anew by it\n";

// What the handler's runtime has to be told, by the options of the node's default runtime (runc,
// where that is Ward's own), as a file of TOML: whether systemd makes its cgroups, and another
// runtime than runc of PATH. Empty where there is nothing to tell.
std::string options_text(const Settings& dump);

// A handler is a key, and a part of names of files.
bool is_handler_name(const std::string& name);

}  // namespace ward::cli::node
