// SPDX-License-Identifier: Apache-2.0
#include "tests/support/private_network.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace ward::test {
namespace {

UniqueFd current_network() {
  return UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
}

void start_loopback() {
  const UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq loopback{};
  std::strcpy(loopback.ifr_name, "lo");
  loopback.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(any.get(), SIOCSIFFLAGS, &loopback) != 0)
    ADD_FAILURE() << "loopback: " << std::strerror(errno);
}

}  // namespace

PrivateNetwork::PrivateNetwork() {
  const UniqueFd outside = current_network();
  if (::unshare(CLONE_NEWNET) != 0) {
    ADD_FAILURE() << "unshare a network: " << std::strerror(errno);
    return;
  }
  network_ = current_network();
  start_loopback();
  if (::setns(outside.get(), CLONE_NEWNET) != 0)
    ADD_FAILURE() << "leave the network: " << std::strerror(errno);
}

std::vector<std::string> PrivateNetwork::command(std::vector<std::string> arguments) const {
  const std::string path =
      "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(network_.get());
  arguments.insert(arguments.begin(), {"nsenter", "--net=" + path, "--"});
  return arguments;
}

void PrivateNetwork::within(const std::function<void()>& work) const {
  const UniqueFd outside = current_network();
  if (::setns(network_.get(), CLONE_NEWNET) != 0) {
    ADD_FAILURE() << "enter the network: " << std::strerror(errno);
    return;
  }
  work();
  if (::setns(outside.get(), CLONE_NEWNET) != 0)
    ADD_FAILURE() << "leave the network: " << std::strerror(errno);
}

}  // namespace ward::test
