// SPDX-License-Identifier: Apache-2.0
// The standard streams of one process: pipes or a terminal on the container's side, what the client
// asked for (FIFOs, a file, a logger, nothing) on the other, pumps between. Both ends of every FIFO
// are held, so that a client or containerd may come and go without the container noticing
// (docs/shim-contract.md C60). Nothing here ever blocks the loop.
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"
#include "shim/streams/log_uri.h"
#include "shim/streams/logger_process.h"
#include "shim/streams/pump.h"

namespace ward::shim::streams {

// A grandchild may hold a stream open for ever; Delete waits this long for the end of the output
// and no longer.
inline constexpr std::chrono::seconds kDrainLimit{10};

struct StdioSpec {
  std::string in;
  std::string out;
  std::string err;
  bool terminal = false;
  uid_t uid = 0;  // owner of the container's ends
  gid_t gid = 0;
};

class Stdio {
 public:
  // Opens the client's side, and pipes where there is no terminal. `owner` is for loggers.
  static Result<std::unique_ptr<Stdio>> open(asio::io_context& loop, const StdioSpec& spec,
                                             const LogOwner& owner = {});

  // In two steps, of a session that is not started yet: pipes for its process first. Neither a
  // terminal nor a logger. Until the second step the client sees nobody: ctr tells of the end of
  // its input (CloseIO) only where that is read after its Exec has come back, and takes a writer
  // that comes and goes for the end of the output.
  static Result<std::unique_ptr<Stdio>> open_pipes(asio::io_context& loop, const StdioSpec& spec);
  Result<void> connect(const StdioSpec& spec, const LogOwner& owner);

  ~Stdio();
  Stdio(const Stdio&) = delete;
  Stdio& operator=(const Stdio&) = delete;

  // The process may be made: at once, or when the logger has said that it is ready.
  void when_ready(LoggerProcess::Ready ready);

  // For the runtime's 0, 1 and 2. With a terminal: none, all are /dev/null.
  [[nodiscard]] std::vector<std::pair<int, int>> child_descriptors() const;

  // While the runtime works: what is written to the streams may be its own words, of which the
  // client hears by another way. They are kept back, also where they are more than a pipe holds,
  // until it has succeeded; else close() or drain() drops them. `only_runtime`: the process cannot
  // have written anything yet, so what is too much can be dropped.
  void hold_output(bool only_runtime);
  void begin_output();

  // The runtime came back: lets go of the container's ends, so that end of file can be seen.
  void release_child_descriptors();
  Result<void> attach_terminal(UniqueFd master);
  Result<void> resize(std::uint16_t columns,
                      std::uint16_t rows);  // success where there is no terminal
  void close_stdin();                       // CloseIO; again is fine

  // `done` when all output of the process has reached the client's side, or `limit` has passed. One
  // caller at a time.
  void drain(std::chrono::nanoseconds limit, std::function<void()> done);
  void close();

 private:
  explicit Stdio(asio::io_context& loop);
  Result<void> open_outputs(const StdioSpec& spec, const LogOwner& owner);
  Result<void> start_logger(const StdioSpec& spec, const LogUri& uri, const LogOwner& owner);
  Result<void> make_pipes(const StdioSpec& spec);
  Result<UniqueFd> open_output(const LogUri& where);
  Result<void> open_input(const std::string& path);
  template <typename Source>  // a descriptor, or a shared one
  void pump_output(Source source, UniqueFd destination);
  void output_ended();
  void close_terminal();

  asio::io_context& loop_;
  asio::steady_timer drain_limit_;
  std::function<void()> drained_;
  // Until a pump takes them.
  UniqueFd client_in_, client_out_, client_err_;
  UniqueFd container_in_, container_out_, container_err_;
  UniqueFd stdin_keeper_;  // write end of the stdin FIFO: no end of file before CloseIO
  std::vector<UniqueFd>
      output_keepers_;  // read ends of the output FIFOs: no EPIPE, nothing unread is lost
  std::vector<std::pair<UniqueFd, int>> child_ends_;
  Pump::Shared terminal_;  // its master, for both directions
  std::vector<std::shared_ptr<Pump>> pumps_;
  std::vector<std::shared_ptr<Pump>> outputs_;  // those of them that lead to the client
  std::shared_ptr<LoggerProcess> logger_;
  int running_outputs_ = 0;
};

}  // namespace ward::shim::streams
