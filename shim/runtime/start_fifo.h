// SPDX-License-Identifier: Apache-2.0
// The last step of a start, without a process of the runtime for it: libcontainer's init (runc's)
// waits, all set up, for a reader of <root>/<id>/exec.fifo, writes one byte and executes the
// program. `runc start` is that reader and nothing else, at the price of a process of some 10 ms.
// Other runtimes keep other records; for them the verb is run.
// Source: runc 1.1 to 1.4, libcontainer/container_linux.go (exec) and standard_init_linux.go
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "lib/base/result.h"

namespace ward::shim::runtime {

class StartFifo : public std::enable_shared_from_this<StartFifo> {
 public:
  using Done = std::function<void(Result<void>)>;

  // Lets the init go. Null where the container is not one of libcontainer's, has hooks to run, or
  // is not waiting: the runtime knows better.
  static std::shared_ptr<StartFifo> open(asio::io_context& loop,
                                         const std::filesystem::path& runtime_root,
                                         const std::string& id);
  StartFifo(asio::io_context& loop, std::filesystem::path path, int descriptor);

  // `done` is called once, from the loop or from init_ended(). Where it never is, the init is
  // stopped or frozen.
  void wait(Done done);
  // The init was reaped: what it had written before counts.
  void init_ended();

 private:
  void finish(bool reaped);

  std::filesystem::path path_;
  asio::posix::stream_descriptor fifo_;
  Done done_;
};

}  // namespace ward::shim::runtime
