// SPDX-License-Identifier: Apache-2.0
// RFC 5424 over TCP (RFC 6587, octet counting), TLS (RFC 5425) or UDP (RFC 5426). Syslog has no
// answer. What stands for one is the end of the connection: each batch has its own, we close our
// half, and a receiver that closes in order has read it all; one that dies with unread bytes
// resets it. Over UDP nothing stands for it.
#include "enforcer/sinks/formats.h"
#include "enforcer/sinks/outlet.h"
#include "enforcer/sinks/stream.h"

namespace ward::enforcer::sinks {
namespace {

class SyslogOutlet final : public Outlet {
 public:
  explicit SyslogOutlet(const profiles::SinkSettings& settings) : settings_(settings) {}

  Delivery deliver(std::span<const Event> events, const StopSignal& stop) override {
    auto stream = open_stream(settings_, {stop, settings_.timeout});
    if (!stream) return {0, stream.error().message};
    const bool framed = settings_.url.rfind("udp:", 0) != 0;
    for (const Event& event : events) {
      const std::string message = syslog_message(event, settings_.cef);
      const auto written =
          (*stream)->write(framed ? std::to_string(message.size()) + " " + message : message);
      if (!written) return {0, written.error().message};
    }
    if (auto finished = (*stream)->finish(); !finished) return {0, finished.error().message};
    return {events.size(), ""};
  }

 private:
  const profiles::SinkSettings settings_;
};

}  // namespace

std::unique_ptr<Outlet> make_syslog_outlet(const profiles::SinkSettings& settings) {
  return std::make_unique<SyslogOutlet>(settings);
}

}  // namespace ward::enforcer::sinks
