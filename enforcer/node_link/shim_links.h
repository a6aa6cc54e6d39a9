// SPDX-License-Identifier: Apache-2.0
// The shims wardd knows: whether each still lives (a pidfd tells, not its connection), and commands
// to them. Core loop only.
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace ward::enforcer {

struct KnownShim {
  pid_t pid = 0;
  std::string address;  // unix path of its ttrpc socket
};

class ShimLinks {
 public:
  // `gone` is told when a shim's process has ended; its link is closed by then.
  ShimLinks(asio::io_context& core, std::function<void(const KnownShim&)> gone);
  ~ShimLinks();
  ShimLinks(const ShimLinks&) = delete;
  ShimLinks& operator=(const ShimLinks&) = delete;

  // Starts to watch it; true where it was not known. kInvalidArgument for a claim that cannot be
  // true, kNotFound where no such process lives, kResourceExhausted where that would take one of
  // the last descriptors.
  Result<bool> watch(const KnownShim& shim);
  void forget(const std::string& address);

  // Calls ward.node.v1.Shim of that shim. kNotFound where the address is not of a known shim.
  void call(const std::string& address, std::string_view method, std::string payload,
            std::function<void(Result<std::string>)> answer);

  [[nodiscard]] std::size_t size() const;
  void close();  // fails what is pending

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ward::enforcer
