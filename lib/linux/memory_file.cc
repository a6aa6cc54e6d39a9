// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/memory_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace ward {

Result<UniqueFd> make_memory_file(const char* name, std::string_view content) {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC));
  if (!fd) return fail_errno("memfd_create");
  const bool rewind = !content.empty();
  while (!content.empty()) {
    const ssize_t n = ::write(fd.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(std::string("write the memory file '") + name + "'");
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  if (rewind && ::lseek(fd.get(), 0, SEEK_SET) < 0) return fail_errno("rewind a memory file");
  return fd;
}

}  // namespace ward
