// SPDX-License-Identifier: Apache-2.0
// One exec or attach session at the address that CriClient was given, as a kubelet has it: SPDY/3.1
// after an upgrade of HTTP, subprotocol v4.channel.k8s.io. Its end is the end of the connection;
// every wait has a deadline.
// Sources: the SPDY 3.1 draft; k8s.io/apimachinery pkg/util/remotecommand, k8s.io/kubelet pkg/cri/streaming
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"
#include "tests/support/child.h"
#include "tests/support/cri_client.h"
#include "tests/support/private_network.h"

namespace ward::test {

class StreamClient {
 public:
  // Returns when the server has all streams. kFailedPrecondition with its words where it refuses.
  static Result<StreamClient> open(const PrivateNetwork& network, const std::string& url,
                                   const Streams& streams);

  void write(std::string_view text);
  void close_input();
  void resize(int columns, int rows);

  [[nodiscard]] const std::string& out() const { return out_; }
  [[nodiscard]] const std::string& err() const { return err_; }
  // True as soon as `text` stands in stdout; false at the end of the session or at the deadline.
  bool await_output(std::string_view text, std::chrono::milliseconds patience = kPatience);
  // The exit code that the server gives at the end of the session; an error is its words, or that
  // it gives none.
  Result<int> wait(std::chrono::milliseconds patience = kPatience);

 private:
  enum class Kind : std::uint32_t {
    kError = 1,
    kIn = 3,
    kOut = 5,
    kErr = 7,
    kResize = 9
  };  // stream ids: odd, rising

  explicit StreamClient(UniqueFd socket) : socket_(std::move(socket)) {}
  Result<void> upgrade(const std::string& host, const std::string& path,
                       Clock::time_point deadline);
  void open_stream(Kind kind);
  void send(std::string_view bytes);
  void send_data(Kind kind, std::string_view data, bool last = false);
  bool receive(Clock::time_point deadline);  // one round; false at the end and at the deadline
  void take_frames();

  UniqueFd socket_;
  std::string received_;  // and not understood yet
  std::string out_, err_, verdict_;
  std::size_t replies_ = 0;
  bool upgraded_ = false;
  bool headers_begun_ = false;
  bool ended_ = false;
};

}  // namespace ward::test
