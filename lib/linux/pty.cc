// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/pty.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "lib/linux/unix_socket.h"

namespace ward {
namespace {

Result<std::string> make_directory(const std::filesystem::path& parent) {
  std::error_code ignored;
  std::filesystem::create_directories(parent, ignored);
  std::string pattern = (parent / "pty-XXXXXX").string();
  if (pattern.size() + std::strlen("/pty.sock") > kMaxUnixPathBytes) pattern = "/tmp/pty-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return fail_errno("mkdtemp " + pattern);
  return pattern;
}

}  // namespace

ConsoleSocket::ConsoleSocket(std::string directory, UniqueFd listener)
    : directory_(std::move(directory)), listener_(std::move(listener)) {}

ConsoleSocket::ConsoleSocket(ConsoleSocket&& other) noexcept
    : directory_(std::exchange(other.directory_, {})), listener_(std::move(other.listener_)) {}

ConsoleSocket::~ConsoleSocket() {
  if (directory_.empty()) return;
  ::unlink(path().c_str());
  ::rmdir(directory_.c_str());
}

Result<ConsoleSocket> ConsoleSocket::make(const std::filesystem::path& parent) {
  auto directory = make_directory(parent);
  if (!directory) return tl::unexpected(directory.error());
  ConsoleSocket result(std::move(*directory), UniqueFd());
  auto listener = listen_unix(result.path());
  if (!listener) return tl::unexpected(listener.error());
  result.listener_ = std::move(*listener);
  return result;
}

Result<UniqueFd> ConsoleSocket::receive_master() const {
  auto connection = accept_unix(listener_);
  if (!connection) return fail_with("the runtime sent no terminal", connection.error());
  auto message = receive_descriptors(*connection);
  if (!message) return fail_with("receive the terminal", message.error());
  if (message->descriptors.size() != 1)
    return fail(Code::kInternal, "the runtime did not send exactly one terminal");
  UniqueFd master = std::move(message->descriptors.front());
  unsigned int number = 0;
  if (::ioctl(master.get(), TIOCGPTN, &number) != 0)
    return fail_errno("what the runtime sent is not a terminal's master");
  return master;
}

Result<void> resize_terminal(int master, std::uint16_t columns, std::uint16_t rows) {
  winsize size = {};
  size.ws_col = columns;
  size.ws_row = rows;
  if (::ioctl(master, TIOCSWINSZ, &size) != 0) return fail_errno("resize the terminal");
  return {};
}

}  // namespace ward
