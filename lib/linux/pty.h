// SPDX-License-Identifier: Apache-2.0
// A terminal made by the OCI runtime: the socket over which runc hands out the master
// (`--console-socket`), and the window size.
// Source: https://github.com/opencontainers/runc/blob/main/docs/terminals.md
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward {

// A listening socket in a private 0700 directory of its own; both are removed by the destructor.
class ConsoleSocket {
 public:
  static Result<ConsoleSocket> make(
      const std::filesystem::path& parent);  // falls back to /tmp where the path is too long
  ConsoleSocket(ConsoleSocket&& other) noexcept;
  ConsoleSocket& operator=(ConsoleSocket&&) = delete;
  ConsoleSocket(const ConsoleSocket&) = delete;
  ~ConsoleSocket();

  [[nodiscard]] std::string path() const { return directory_ + "/pty.sock"; }
  // The master that the runtime sent; call when the runtime has exited well, nothing is waited for.
  [[nodiscard]] Result<UniqueFd> receive_master() const;

 private:
  ConsoleSocket(std::string directory, UniqueFd listener);
  std::string directory_;
  UniqueFd listener_;
};

Result<void> resize_terminal(int master, std::uint16_t columns, std::uint16_t rows);

}  // namespace ward
