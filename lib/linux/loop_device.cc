// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/loop_device.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

#include <cerrno>

namespace ward {
namespace {

// Somebody else may take the free device between the question and the answer.
constexpr int kAttempts = 16;

}  // namespace

Result<LoopDevice> attach_loop_device(const std::string& image, bool read_only) {
  const int access = (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC;
  const UniqueFd file(::open(image.c_str(), access));
  if (!file) return fail_errno("open " + image);
  const UniqueFd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control) return fail_errno("open /dev/loop-control");
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return fail_errno("find a free loop device");
    LoopDevice device{"/dev/loop" + std::to_string(number), {}};
    device.descriptor.reset(::open(device.path.c_str(), access));
    if (!device.descriptor) return fail_errno("open " + device.path);
    loop_config config = {};
    config.fd = static_cast<__u32>(file.get());
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : 0);
    if (::ioctl(device.descriptor.get(), LOOP_CONFIGURE, &config) == 0) return device;
    if (errno != EBUSY) return fail_errno("attach " + image + " to " + device.path);
  }
  return fail(Code::kUnavailable, "no loop device stays free long enough for " + image);
}

}  // namespace ward
