// SPDX-License-Identifier: Apache-2.0
#include "enforcer/node_link/shim_links.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <chrono>
#include <map>

#include "lib/linux/descriptors.h"
#include "lib/ttrpc/client.h"

namespace ward::enforcer {
namespace {

// Release and Kill wait for the kernel to thaw or reap a container; a shim that needs longer is
// stuck.
constexpr std::chrono::seconds kCommandTimeout{5};
constexpr std::string_view kService = "ward.node.v1.Shim";
constexpr std::size_t kMaxAddressBytes = 107;  // sun_path

}  // namespace

struct ShimLinks::State : std::enable_shared_from_this<State> {
  struct Link {
    Link(asio::io_context& core, KnownShim known, int pidfd)
        : shim(std::move(known)), process(core, pidfd), client(core, shim.address) {}
    KnownShim shim;
    asio::posix::stream_descriptor process;  // the pidfd: readable when the process has ended
    ttrpc::Client client;  // connected while a call is under way, for that is a descriptor, too
    std::size_t calls = 0;
  };

  State(asio::io_context& loop, std::function<void(const KnownShim&)> on_gone)
      : core(loop), gone(std::move(on_gone)) {}

  void wait_for_end(Link& link) {
    link.process.async_wait(
        asio::posix::stream_descriptor::wait_read,
        [weak = weak_from_this(), shim = link.shim](const asio::error_code& error) {
          auto self = weak.lock();
          if (error || !self) return;
          auto found = self->links.find(shim.address);
          // A new shim may have taken the address over while this was queued.
          if (found == self->links.end() || found->second->shim.pid != shim.pid) return;
          self->links.erase(found);
          self->gone(shim);
        });
  }

  void called(const KnownShim& shim) {
    const auto found = links.find(shim.address);
    if (found == links.end() || found->second->shim.pid != shim.pid || found->second->calls == 0)
      return;
    if (--found->second->calls > 0) return;
    // Not from inside the answer, which belongs to the connection.
    asio::post(core, [weak = weak_from_this(), shim] {
      const auto self = weak.lock();
      const auto link = self ? self->links.find(shim.address) : decltype(links)::iterator();
      if (self && link != self->links.end() && link->second->calls == 0)
        link->second->client.close();
    });
  }

  asio::io_context& core;
  std::function<void(const KnownShim&)> gone;
  std::map<std::string, std::unique_ptr<Link>> links;  // by address
};

ShimLinks::ShimLinks(asio::io_context& core, std::function<void(const KnownShim&)> gone)
    : state_(std::make_shared<State>(core, std::move(gone))) {}

ShimLinks::~ShimLinks() { close(); }

Result<bool> ShimLinks::watch(const KnownShim& shim) {
  if (shim.address.empty() || shim.address.front() != '/' ||
      shim.address.size() > kMaxAddressBytes) {
    return fail(Code::kInvalidArgument, "shim_address must be the absolute path of a unix socket");
  }
  if (shim.pid <= 0) return fail(Code::kInvalidArgument, "shim_pid must be a process id");
  auto found = state_->links.find(shim.address);
  if (found != state_->links.end() && found->second->shim.pid == shim.pid) return false;
  const auto pidfd = static_cast<int>(::syscall(SYS_pidfd_open, shim.pid, 0));
  if (pidfd < 0) {
    return errno == ESRCH ? fail(Code::kNotFound, "no process " + std::to_string(shim.pid))
                          : fail_errno("pidfd_open");
  }
  if (is_of_reserve(pidfd)) {
    ::close(pidfd);
    return fail(Code::kResourceExhausted, "wardd has no file descriptor left for another shim");
  }
  auto link = std::make_unique<State::Link>(state_->core, shim, pidfd);
  state_->wait_for_end(*link);
  if (found == state_->links.end()) {
    state_->links.emplace(shim.address, std::move(link));
    return true;
  }
  const KnownShim before = found->second->shim;
  found->second = std::move(link);
  state_->gone(before);
  return true;
}

void ShimLinks::forget(const std::string& address) { state_->links.erase(address); }

void ShimLinks::call(const std::string& address, std::string_view method, std::string payload,
                     std::function<void(Result<std::string>)> answer) {
  auto found = state_->links.find(address);
  if (found == state_->links.end()) {
    asio::post(state_->core, [answer = std::move(answer)] {
      answer(fail(Code::kNotFound, "the container's shim is gone"));
    });
    return;
  }
  ++found->second->calls;
  found->second->client.call(kService, method, std::move(payload), kCommandTimeout,
                             [weak = state_->weak_from_this(), shim = found->second->shim,
                              answer = std::move(answer)](Result<std::string> bytes) {
                               if (const auto self = weak.lock()) self->called(shim);
                               answer(std::move(bytes));
                             });
}

std::size_t ShimLinks::size() const { return state_->links.size(); }

void ShimLinks::close() {
  for (auto& [address, link] : state_->links) link->client.close();
  state_->links.clear();
}

}  // namespace ward::enforcer
