// SPDX-License-Identifier: Apache-2.0
// A connection to a syslog receiver: TCP, TLS over it, or UDP. Every wait has a deadline and ends
// when the sink is stopped.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "enforcer/sinks/outlet.h"
#include "lib/base/result.h"

namespace ward::enforcer::sinks {

class Stream {
 public:
  Stream() = default;
  virtual ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  virtual Result<void> write(const std::string& bytes) = 0;
  // Says that no more comes, and waits until the peer has read all of it and says so by its own
  // end. An error: it may lack some.
  virtual Result<void> finish() = 0;
};

struct Patience {
  const StopSignal& stop;
  std::chrono::milliseconds timeout;  // of each wait
};

// The address of a syslog sink: "tls://host:6514".
Result<std::unique_ptr<Stream>> open_stream(const profiles::SinkSettings& settings,
                                            Patience patience);

}  // namespace ward::enforcer::sinks
