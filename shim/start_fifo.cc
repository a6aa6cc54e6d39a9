// SPDX-License-Identifier: Apache-2.0
#include "shim/start_fifo.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "lib/base/unique_fd.h"

namespace ward::shim {

std::shared_ptr<StartFifo> StartFifo::open(asio::io_context& loop, const std::filesystem::path& runtime_root,
                                           const std::string& id) {
  const std::filesystem::path record = runtime_root / id;
  const std::filesystem::path path = record / "exec.fifo";
  // crun has a FIFO of this name, too, which works the other way round, and beside it a file `status`.
  if (::access((record / "state.json").c_str(), F_OK) != 0) return nullptr;
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
                     if (!error) self->finish();
                   });
}

void StartFifo::init_ended() { finish(); }

void StartFifo::finish() {
  if (!done_) return;
  char byte = 0;
  const ssize_t got = ::read(fifo_.native_handle(), &byte, 1);
  fifo_.close();
  const Done done = std::exchange(done_, nullptr);
  if (got != 1) return done(fail(Code::kUnknown, "OCI runtime start failed: the container's process is dead already"));
  // Where the FIFO is gone the container is running, for the runtime as well.
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) return done(fail_errno("remove " + path_.string()));
  done({});
}

}  // namespace ward::shim
