// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>

#include "lib/base/unique_fd.h"

namespace ward {
namespace {

constexpr std::size_t kReserve = 32;

}  // namespace

std::size_t descriptor_limit() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

std::size_t descriptor_reserve() { return std::min(kReserve, descriptor_limit() / 4); }

bool is_of_reserve(int descriptor) {
  return descriptor < 0 ||
         static_cast<std::size_t>(descriptor) + descriptor_reserve() >= descriptor_limit();
}

bool descriptors_run_short() {
  return is_of_reserve(UniqueFd(::open("/", O_PATH | O_CLOEXEC)).get());
}

void raise_descriptor_limit(std::size_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlimit all{limit.rlim_max, limit.rlim_max};
  const rlimit more{std::max<rlim_t>(limit.rlim_max, wanted),
                    std::max<rlim_t>(limit.rlim_max, wanted)};
  if (::setrlimit(RLIMIT_NOFILE, &more) != 0) (void)::setrlimit(RLIMIT_NOFILE, &all);
}

}  // namespace ward
