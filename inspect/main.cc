// SPDX-License-Identifier: Apache-2.0
// ward-inspect: reads ELF files and package databases of a container, of which nothing can be
// believed, apart from everything that has a right to anything. Started by the shim's reader of
// evidence with descriptors to read; answers on standard output. Nobody's to type.
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "inspect/confine.h"
#include "inspect/work.h"

namespace {

// Not _exit(2), and not [[noreturn]]: before either a sanitizer makes calls that the filter ends us
// for.
void leave(int status) { ::syscall(SYS_exit_group, status); }

}  // namespace

int main() {
  if (!ward::inspect::confine()) leave(3);
  std::string request;
  std::array<char, 4096> chunk{};
  while (request.size() < ward::inspect::kMaxRequestBytes) {
    const ssize_t n = ::read(STDIN_FILENO, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    request.append(chunk.data(), static_cast<std::size_t>(n));
  }
  const std::string said = ward::inspect::answer(request);
  for (std::size_t at = 0; at < said.size();) {
    const ssize_t n = ::write(STDOUT_FILENO, said.data() + at, said.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) leave(1);
    at += static_cast<std::size_t>(n);
  }
  leave(0);
  return 0;
}
