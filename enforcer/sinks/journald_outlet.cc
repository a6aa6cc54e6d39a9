// SPDX-License-Identifier: Apache-2.0
// Entries for systemd's journal, by its native protocol: one datagram each. What the socket takes
// is journald's; it has no other answer. Source: systemd.io/JOURNAL_NATIVE_PROTOCOL.
#include <sys/socket.h>
#include <sys/un.h>

#include <poll.h>
#include <algorithm>
#include <chrono>

#include "enforcer/sinks/formats.h"
#include "enforcer/sinks/outlet.h"
#include "enforcer/sinks/socket_wait.h"
#include "lib/base/escape.h"

namespace ward::enforcer::sinks {
namespace {

constexpr std::chrono::milliseconds kTimeout{5000};

class JournaldOutlet final : public Outlet {
 public:
  explicit JournaldOutlet(std::string socket) : socket_(std::move(socket)) {}

  Delivery deliver(std::span<const Event> events, const StopSignal& stop) override {
    Delivery out;
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    socket_.copy(static_cast<char*>(address.sun_path), sizeof(address.sun_path) - 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const std::string what = "journald, '" + escape(socket_) + "'";
    // Anew for each batch: a journald that was restarted has another socket of this name.
    if (!fd ||
        ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
      return {0, fail_errno(what).value().message};
    for (const Event& event : events) {
      std::string entry;
      for (const std::string& field : journald_fields(event)) entry += field + "\n";
      while (::send(fd.get(), entry.data(), entry.size(), MSG_NOSIGNAL) < 0) {
        if (errno == EINTR) continue;
        const Blame blame = errno == EMSGSIZE ? Blame::kEvent : Blame::kReceiver;
        if (errno != EAGAIN) return {out.taken, fail_errno(what).value().message, blame};
        if (auto ready = await_socket(fd.get(), POLLOUT, {stop, kTimeout}); !ready)
          return {out.taken, what + ": " + ready.error().message};
      }
      ++out.taken;
    }
    return out;
  }

 private:
  const std::string socket_;
};

}  // namespace

std::unique_ptr<Outlet> make_journald_outlet(std::string socket) {
  return std::make_unique<JournaldOutlet>(std::move(socket));
}

}  // namespace ward::enforcer::sinks
