// SPDX-License-Identifier: Apache-2.0
// An image file as a block device. Source: loop(4)
#pragma once

#include <string>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward {

struct LoopDevice {
  std::string path;     // "/dev/loop7"
  UniqueFd descriptor;  // the device goes when this and the last mount of it are closed
};

Result<LoopDevice> attach_loop_device(const std::string& image, bool read_only);

}  // namespace ward
