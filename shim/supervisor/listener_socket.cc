// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/listener_socket.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <charconv>
#include <chrono>
#include <csignal>
#include <list>

#include "lib/base/digest.h"
#include "lib/base/log.h"
#include "lib/linux/process_info.h"
#include "lib/linux/unix_socket.h"

namespace ward::shim::supervisor {
namespace {

constexpr auto kDeadline = std::chrono::seconds(2);
constexpr std::size_t kMaxConnections = 16;
constexpr std::size_t kPieceBytes = 256U << 10U;  // what a socket holds by default

UniqueFd duplicate(const UniqueFd& fd) { return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3)); }

// One sender. Owned by the list from accept to its verdict; a timer that fired in the same turn may
// outlive it, so callbacks hold it weakly.
struct Connection {
  Connection(asio::io_context& loop, UniqueFd fd, PeerCredentials credentials)
      : socket(std::move(fd)), readable(loop, socket.get()), timer(loop), peer(credentials) {}
  ~Connection() { readable.release(); }
  UniqueFd socket;
  asio::posix::stream_descriptor readable;
  asio::steady_timer timer;
  PeerCredentials peer;
  std::string bytes;
  MessageEnd end;
  std::vector<UniqueFd> descriptors;
};

}  // namespace

struct ListenerSocket::State : std::enable_shared_from_this<ListenerSocket::State> {
  State(asio::io_context& l, std::filesystem::path p, UniqueFd fd, Accept a, Refused r)
      : loop(l),
        path(std::move(p)),
        socket(std::move(fd)),
        acceptable(l, socket.get()),
        accept(std::move(a)),
        refused(std::move(r)) {}
  ~State() { acceptable.release(); }

  using Place = std::shared_ptr<Connection>;

  void wait_for_connection() {
    acceptable.async_wait(asio::posix::stream_descriptor::wait_read,
                          [weak = weak_from_this()](const asio::error_code& error) {
                            const auto self = weak.lock();
                            if (!self || error) return;
                            self->take_connections();
                            self->wait_for_connection();
                          });
  }

  void take_connections() {
    for (;;) {
      auto accepted = accept_unix(socket);
      const bool is_full = !accepted && (accepted.error().sys_errno == EMFILE ||
                                         accepted.error().sys_errno == ENFILE);
      if (is_full && refuse_for_want_of_descriptors()) continue;
      if (!accepted) return;
      auto peer = peer_credentials(*accepted);
      if (!peer || peer->uid != ::geteuid() || connections.size() >= kMaxConnections) {
        log::warn("refused a connection to the seccomp listener socket",
                  {{"uid", peer ? std::to_string(peer->uid) : "?"},
                   {"pid", peer ? std::to_string(peer->pid) : "?"}});
        if (peer && refused) {
          refused(peer->pid, fail(Code::kResourceExhausted,
                                  "too many others speak to the socket, or it is not root's")
                                 .value());
        }
        continue;
      }
      const Place place = std::make_shared<Connection>(loop, std::move(*accepted), *peer);
      connections.push_back(place);
      place->timer.expires_after(kDeadline);
      place->timer.async_wait([weak = weak_from_this(),
                               weak_place = std::weak_ptr(place)](const asio::error_code& error) {
        const auto self = weak.lock();
        const auto late = weak_place.lock();
        if (self && late && !error)
          self->refuse(late, fail(Code::kDeadlineExceeded, "no whole message within 2 s").value());
      });
      wait_for_bytes(place);
    }
  }

  // A sender must not wait for ever: it is accepted with the descriptor that is kept for this, and
  // told no. False where nobody waits, which the kernel does not say while there are none.
  bool refuse_for_want_of_descriptors() {
    if (!spare) return false;
    spare.reset();
    auto accepted = accept_unix(socket);
    const auto peer = accepted ? peer_credentials(*accepted) : tl::unexpected(accepted.error());
    if (accepted) accepted->reset();
    spare = duplicate(socket);
    if (!peer) return static_cast<bool>(accepted);
    log::warn("no descriptor for a connection to the seccomp listener socket",
              {{"pid", std::to_string(peer->pid)}});
    if (refused) refused(peer->pid, fail_errno("accept the runtime's connection", EMFILE).value());
    return true;
  }

  void wait_for_bytes(const Place& place) {
    place->readable.async_wait(asio::posix::stream_descriptor::wait_read,
                               [weak = weak_from_this(),
                                weak_place = std::weak_ptr(place)](const asio::error_code& error) {
                                 const auto self = weak.lock();
                                 const auto ready = weak_place.lock();
                                 if (self && ready && !error) self->read(ready);
                               });
  }

  void read(const Place& place) {
    auto piece = receive_piece(place->socket, kPieceBytes);
    if (!piece) {
      const Error& error = piece.error();
      if (error.sys_errno == EAGAIN) return wait_for_bytes(place);
      // The sender closes after its message: now there is all of it.
      if (error.sys_errno == ECONNRESET && !place->bytes.empty()) return judge(place);
      return refuse(place, error);
    }
    for (auto& fd : piece->descriptors) place->descriptors.push_back(std::move(fd));
    if (place->descriptors.size() > 1) {
      return refuse(place,
                    fail(Code::kInvalidArgument, "the message has several descriptors").value());
    }
    if (place->bytes.size() + piece->bytes.size() > kMaxProcessStateBytes) {
      return refuse(place, fail(Code::kResourceExhausted,
                                "the runtime's message about the container is larger than " +
                                    std::to_string(kMaxProcessStateBytes) + " bytes")
                               .value());
    }
    place->bytes += piece->bytes;
    // Else more is to come, or the deadline decides.
    if (place->end.reached_with(piece->bytes)) return judge(place);
    wait_for_bytes(place);
  }

  void judge(const Place& place) {
    auto state = parse_process_state(place->bytes);
    if (!state) return refuse(place, state.error());
    if (place->descriptors.size() != 1) {
      return refuse(
          place,
          fail(Code::kInvalidArgument,
               "the message carries no descriptor (a shim without descriptors to spare sees none)")
              .value());
    }
    auto listener = SeccompListener::adopt(std::move(place->descriptors.front()));
    if (!listener) return refuse(place, listener.error());
    const std::string id = state->container_id;
    auto accepted = accept({std::move(*state), place->peer.pid, std::move(*listener)});
    if (!accepted) return refuse(place, with_context("container '" + id + "'", accepted.error()));
    connections.remove(place);
  }

  void refuse(const Place& place, const Error& why) {
    log::warn("refused a seccomp listener",
              {{"pid", std::to_string(place->peer.pid)}, {"error", why.message}});
    const pid_t sender = place->peer.pid;
    connections.remove(place);
    if (refused) refused(sender, why);
  }

  asio::io_context& loop;
  std::filesystem::path path;
  UniqueFd socket;
  UniqueFd spare = duplicate(socket);
  asio::posix::stream_descriptor acceptable;
  Accept accept;
  Refused refused;
  std::list<Place> connections;
};

ListenerSocket::ListenerSocket(std::shared_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<ListenerSocket>> ListenerSocket::open(asio::io_context& loop,
                                                             const std::filesystem::path& path,
                                                             Accept accept, Refused refused) {
  auto socket = listen_unix(path);
  if (!socket) return fail_with("seccomp listener socket", socket.error());
  auto state = std::make_shared<State>(loop, path, std::move(*socket), std::move(accept),
                                       std::move(refused));
  state->wait_for_connection();
  return std::unique_ptr<ListenerSocket>(new ListenerSocket(std::move(state)));
}

ListenerSocket::~ListenerSocket() {
  ::unlink(state_->path.c_str());
  state_->connections.clear();
}

std::filesystem::path private_directory_name(const std::filesystem::path& run) {
  return run / "shims" / (std::to_string(::getpid()) + "." + random_hex(4));
}

Result<void> make_private_directory(const std::filesystem::path& directory) {
  const auto parent = directory.parent_path();
  std::error_code error;
  std::filesystem::create_directories(parent.parent_path(), error);
  if (::mkdir(parent.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno("mkdir '" + parent.string() + "'");
  remove_dead_private_directories(parent.parent_path());
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno("mkdir '" + directory.string() + "'");
  return {};
}

void remove_dead_private_directories(const std::filesystem::path& run) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(run / "shims", error)) {
    const std::string name = entry.path().filename().string();
    pid_t pid = 0;
    std::from_chars(name.data(), name.data() + name.size(), pid);
    if (pid <= 0) continue;
    // One that was killed a moment ago may be a zombie still.
    const auto stat = read_stat(pid);
    const bool dead =
        stat ? stat->state == 'Z' || stat->state == 'X' : ::kill(pid, 0) != 0 && errno == ESRCH;
    std::error_code ignored;
    if (dead) std::filesystem::remove_all(entry.path(), ignored);
  }
}

}  // namespace ward::shim::supervisor
