// SPDX-License-Identifier: Apache-2.0
#include "shim/runtime/start_fifo.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "lib/base/unique_fd.h"
#include "shim/runtime/runtime_record.h"

namespace ward::shim::runtime {

std::shared_ptr<StartFifo> StartFifo::open(asio::io_context& loop,
                                           const std::filesystem::path& runtime_root,
                                           const std::string& id) {
  const std::filesystem::path path = runtime_root / id / "exec.fifo";
  // crun has a FIFO of this name, too, which works the other way round.
  const auto written = read_runtime_record(runtime_root, id);
  if (!written.is_libcontainers || written.has_work_at_start) return nullptr;
  UniqueFd fifo(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!fifo || ::fstat(fifo.get(), &status) != 0 || !S_ISFIFO(status.st_mode)) return nullptr;
  return std::make_shared<StartFifo>(loop, path, fifo.release());
}

StartFifo::StartFifo(asio::io_context& loop, std::filesystem::path path, int descriptor)
    : path_(std::move(path)), fifo_(loop, descriptor) {}

// Nothing is readable, and no hang-up is told, before the init has opened its end.
void StartFifo::wait(Done done) {
  done_ = std::move(done);
  fifo_.async_wait(asio::posix::stream_descriptor::wait_read,
                   [self = shared_from_this()](const std::error_code& error) {
                     if (!error) self->finish(/*reaped=*/false);
                   });
}

void StartFifo::init_ended() { finish(/*reaped=*/true); }

void StartFifo::finish(bool reaped) {
  if (!done_) return;
  char byte = 0;
  const ssize_t got = fifo_.is_open() ? ::read(fifo_.native_handle(), &byte, 1) : 0;
  fifo_.close();
  // The kernel closes an init's descriptors some moments before it can be reaped. A client that was
  // told of the failure deletes the container at once, which must have ended by then.
  if (got != 1 && !reaped) return;
  const Done done = std::exchange(done_, nullptr);
  if (got != 1)
    return done(
        fail(Code::kUnknown, "OCI runtime start failed: the container's process is dead already"));
  // Where the FIFO is gone the container is running, for the runtime as well.
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT)
    return done(fail_errno("remove " + path_.string()));
  done({});
}

}  // namespace ward::shim::runtime
