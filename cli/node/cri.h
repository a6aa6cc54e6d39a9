// SPDX-License-Identifier: Apache-2.0
// What containerd's CRI plugin says of itself, asked as a kubelet asks.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>

#include "lib/base/result.h"

namespace ward::cli::node {

struct CriState {
  bool runtime_ready = false;
  bool network_ready = false;
  std::map<std::string, std::string> handlers;  // to their runtime type
};

// kUnimplemented: it has no CRI plugin.
Result<CriState> ask_cri(const std::filesystem::path& socket,
                         std::chrono::milliseconds patience = std::chrono::seconds(10));

}  // namespace ward::cli::node
