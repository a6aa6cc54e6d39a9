// SPDX-License-Identifier: Apache-2.0
#include "shim/runtime/early_exec.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <utility>

namespace ward::shim::runtime {

std::shared_ptr<EarlyExec> EarlyExec::begin(asio::io_context& loop, Runc& runc, RuncCall call,
                                            std::function<void()> on_end) {
  std::shared_ptr<EarlyExec> early(new EarlyExec(loop));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return early;
  const UniqueFd read_end(ends[0]);
  early->document_.reset(ends[1]);
  // Ours only: the runtime reads as from a file.
  ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
  call.arguments.insert(call.arguments.begin() + 1,
                        {"--process", "/proc/self/fd/" + std::to_string(kFirstFreeRuncDescriptor)});
  call.descriptors.emplace_back(read_end.get(), kFirstFreeRuncDescriptor);
  // Not a share of itself: whoever lets go of it ends it.
  const std::weak_ptr<EarlyExec> weak = early;
  call.gate = [weak](pid_t pid, const std::function<void()>& go) {
    if (const auto self = weak.lock()) self->pid_ = pid;
    go();
  };
  runc.run(std::move(call), [weak, on_end](Result<std::string> result) {
    const auto self = weak.lock();
    if (!self) return;
    const bool waited = static_cast<bool>(self->document_);
    self->document_.reset();
    self->limit_.cancel();
    self->self_.reset();
    const bool to_be_run_anew = !result && !self->was_read();
    self->given_.reset();
    const auto unread = std::exchange(self->unread_, nullptr);
    if (auto done = std::exchange(self->done_, nullptr))
      return to_be_run_anew ? unread() : done(std::move(result));
    if (waited) on_end();
  });
  early->limit_.expires_after(kLongestWait);
  early->limit_.async_wait([weak, on_end](const asio::error_code& error) {
    const auto self = weak.lock();
    if (error || !self || !self->document_) return;
    self->end();
    on_end();
  });
  return early;
}

bool EarlyExec::waits() const {
  if (pid_ <= 0 || !document_) return false;
  // Its end of the pipe may be gone before we hear of its end.
  pollfd pipe = {document_.get(), 0, 0};
  return ::poll(&pipe, 1, 0) == 0;
}

// Killed and not only left without its document: of that it would complain on the session's own
// stderr.
void EarlyExec::end() {
  limit_.cancel();
  if (pid_ > 0 && document_) ::kill(pid_, SIGKILL);  // not reaped: document_ would be closed
  document_.reset();
}

// A dying process lets go of its memory, and so is no runtime to be seen any more, before it lets
// go of its pipe.
bool EarlyExec::was_read() const {
  int left = 0;
  return !given_ || ::ioctl(given_.get(), FIONREAD, &left) != 0 ||
         static_cast<std::size_t>(left) != given_bytes_;
}

bool EarlyExec::go(const std::string& document, Runc::Done done, std::function<void()> unread) {
  if (!waits()) return false;
  limit_.cancel();
  const int capacity = ::fcntl(document_.get(), F_GETPIPE_SZ);
  const bool fits = capacity > 0 && document.size() <= static_cast<std::size_t>(capacity);
  if (!fits || ::write(document_.get(), document.data(), document.size()) !=
                   static_cast<ssize_t>(document.size())) {
    end();
    return false;
  }
  const std::string pipe = "/proc/self/fd/" + std::to_string(document_.get());
  given_.reset(::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  given_bytes_ = document.size();
  document_.reset();
  done_ = std::move(done);
  unread_ = std::move(unread);
  self_ = shared_from_this();
  return true;
}

}  // namespace ward::shim::runtime
