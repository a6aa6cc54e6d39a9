// SPDX-License-Identifier: Apache-2.0
#include "shim/node_socket_watch.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <system_error>
#include <utility>

namespace ward::shim {
namespace {

constexpr mode_t kRunDirectoryMode = 0711;  // what is in it protects itself

}  // namespace

struct NodeSocketWatch::State : std::enable_shared_from_this<NodeSocketWatch::State> {
  State(asio::io_context& io, std::filesystem::path path, std::function<void()> callback)
      : socket(std::move(path)), appeared(std::move(callback)), watch(io) {}
  ~State() { close(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void wait();
  void read();
  void close() {
    if (watch.is_open()) watch.release();
    inotify.reset();
  }

  std::filesystem::path socket;
  std::function<void()> appeared;
  UniqueFd inotify;
  asio::posix::stream_descriptor watch;
};

void NodeSocketWatch::State::wait() {
  watch.async_wait(asio::posix::descriptor_base::wait_read, [weak = weak_from_this()](const asio::error_code& error) {
    const auto self = weak.lock();
    if (self && !error && self->inotify) self->read();
  });
}

void NodeSocketWatch::State::read() {
  alignas(inotify_event) std::array<char, 4096> buffer{};
  bool came = false;
  bool ended = false;
  for (;;) {
    const ssize_t size = ::read(inotify.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(size);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      // Overflow: something was missed, so look.
      came = came || (event.mask & IN_Q_OVERFLOW) != 0U ||
             (event.len > 0 && socket.filename() == &buffer.at(at + sizeof event));
      ended = ended || (event.mask & (IN_IGNORED | IN_MOVE_SELF)) != 0U;
      at += sizeof event + event.len;
    }
  }
  if (ended) {
    close();  // ensure() starts over
  } else {
    wait();
  }
  if (!came && !ended) return;
  const std::function<void()> callback = appeared;  // a copy: it may end this watch
  callback();
}

NodeSocketWatch::NodeSocketWatch(asio::io_context& loop, std::filesystem::path socket, std::function<void()> appeared)
    : state_(std::make_shared<State>(loop, std::move(socket), std::move(appeared))) {}

NodeSocketWatch::~NodeSocketWatch() {
  state_->appeared = [] {};
  state_->close();
}

Result<void> NodeSocketWatch::ensure() {
  if (state_->inotify) return {};
  const std::filesystem::path directory = state_->socket.parent_path();
  std::error_code ignored;  // what cannot be made shows below
  std::filesystem::create_directories(directory.parent_path(), ignored);
  if (::mkdir(directory.c_str(), kRunDirectoryMode) != 0 && errno != EEXIST) {
    return fail_errno("mkdir '" + directory.string() + "'");
  }
  UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) return fail_errno("inotify_init1");
  if (::inotify_add_watch(inotify.get(), directory.c_str(), IN_CREATE | IN_MOVED_TO | IN_MOVE_SELF | IN_ONLYDIR) < 0) {
    return fail_errno("watch '" + directory.string() + "'");
  }
  state_->inotify = std::move(inotify);
  state_->watch.assign(state_->inotify.get());
  state_->wait();
  return {};
}

}  // namespace ward::shim
