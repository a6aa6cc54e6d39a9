// SPDX-License-Identifier: Apache-2.0
#include "shim/streams/pump.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <asio/post.hpp>
#include <cerrno>
#include <string_view>
#include <utility>

namespace ward::shim::streams {
namespace {

constexpr std::size_t kSpliceBytes = 64U << 10U;
// One stream of a chatty container must not keep the loop from the others.
constexpr int kStepsPerTurn = 16;

std::array<char, 16U << 10U>
    shared_buffer;  // one thread, and never in use across two turns of the loop

}  // namespace

Pump::Pump(asio::io_context& loop, UniqueFd source, UniqueFd destination, WhenBroken when_broken)
    : loop_(loop),
      source_(std::make_shared<asio::posix::stream_descriptor>(loop, source.release())),
      destination_fd_(std::move(destination)),
      when_broken_(when_broken) {}

Pump::Pump(asio::io_context& loop, Shared source, UniqueFd destination, WhenBroken when_broken)
    : loop_(loop),
      source_(std::move(source)),
      destination_fd_(std::move(destination)),
      shares_source_(true),
      when_broken_(when_broken) {}

Pump::Pump(asio::io_context& loop, UniqueFd source, Shared destination, WhenBroken when_broken)
    : loop_(loop),
      source_(std::make_shared<asio::posix::stream_descriptor>(loop, source.release())),
      destination_(std::move(destination)),
      shares_destination_(true),
      when_broken_(when_broken) {}

void Pump::start(std::function<void()> done) {
  done_ = std::move(done);
  wait(Step::kWaitSource);
}

void Pump::stop() {
  if (std::exchange(stopped_, true)) return;
  done_ = nullptr;
  close();
}

void Pump::close() {
  asio::error_code ignored;
  if (!shares_source_) source_->close(ignored);
  if (destination_ && !shares_destination_) destination_->close(ignored);
  source_.reset();
  destination_.reset();
  destination_fd_.reset();
}

int Pump::destination() const {
  return destination_ ? destination_->native_handle() : destination_fd_.get();
}

void Pump::wait(Step step) {
  if (step == Step::kWaitRelease) return;
  waits_for_source_ = step == Step::kWaitSource;
  auto resume = [self = shared_from_this(), turn = turn_](const asio::error_code& error) {
    if (!error && !self->stopped_ && turn == self->turn_) self->run();
  };
  if (step == Step::kWaitSource) {
    source_->async_wait(asio::posix::stream_descriptor::wait_read, resume);
    return;
  }
  if (!destination_) {
    destination_ =
        std::make_shared<asio::posix::stream_descriptor>(loop_, destination_fd_.release());
  }
  destination_->async_wait(asio::posix::stream_descriptor::wait_write, resume);
}

void Pump::run() {
  waits_for_source_ = false;
  for (int i = 0; i < kStepsPerTurn; ++i) {
    const Step step = move_some();
    if (step == Step::kAgain) continue;
    if (step != Step::kEnd) return wait(step);
    stopped_ = true;
    close();
    if (auto done = std::exchange(done_, nullptr)) done();
    return;
  }
  run_soon();
}

void Pump::run_soon() {
  asio::post(loop_, [self = shared_from_this(), turn = turn_] {
    if (!self->stopped_ && turn == self->turn_) self->run();
  });
}

void Pump::hold(WhenFull when_full) { hold_ = when_full; }

void Pump::release(Held held) {
  if (!hold_ || stopped_) return;
  hold_.reset();
  if (held == Held::kIsDropped) std::string().swap(pending_);
  // The loop runs a second wait for one descriptor behind all else, also behind the end of the
  // process that writes.
  if (waits_for_source_ && pending_.empty()) return;
  // It may wait for its source, or for nothing at all.
  ++turn_;
  run_soon();
}

Pump::Step Pump::move_some() {
  if (hold_) return hold_some();
  if (!pending_.empty()) return flush();
  return splices_ && !broken_ ? splice_some() : copy_some();
}

Pump::Step Pump::hold_some() {
  const ssize_t n = ::read(source_->native_handle(), shared_buffer.data(), shared_buffer.size());
  if (n < 0 && errno == EINTR) return Step::kAgain;
  if (n < 0 && errno == EAGAIN) return Step::kWaitSource;
  if (n <= 0) return Step::kWaitRelease;
  const bool fits = pending_.size() + static_cast<std::size_t>(n) <= kMostHeld;
  if (fits || hold_ == WhenFull::kRelease)
    pending_.append(shared_buffer.data(), static_cast<std::size_t>(n));
  if (!fits && hold_ == WhenFull::kRelease) hold_.reset();
  return Step::kAgain;
}

Pump::Step Pump::splice_some() {
  const int to = destination();
  const ssize_t n = ::splice(source_->native_handle(), nullptr, to, nullptr, kSpliceBytes,
                             SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
  if (n > 0) return Step::kAgain;
  if (n == 0) return Step::kEnd;
  if (errno == EINTR) return Step::kAgain;
  if (errno == EAGAIN) {
    // EAGAIN is for either side, and a source at its end says so only once the destination has
    // room: asking the source would then spin on its hang-up until the reader comes back.
    pollfd destination = {to, POLLOUT, 0};
    const bool writable = ::poll(&destination, 1, 0) == 1;
    return writable ? Step::kWaitSource : Step::kWaitDestination;
  }
  // Not a pair that can be spliced (a terminal, an O_APPEND file), or broken: the copy finds out
  // which.
  splices_ = false;
  return Step::kAgain;
}

Pump::Step Pump::copy_some() {
  const ssize_t n = ::read(source_->native_handle(), shared_buffer.data(), shared_buffer.size());
  if (n < 0 && errno == EINTR) return Step::kAgain;
  if (n < 0 && errno == EAGAIN) return Step::kWaitSource;
  if (n <= 0) return Step::kEnd;  // EIO is how a terminal says that its last user is gone
  if (broken_) return Step::kAgain;
  pending_.assign(shared_buffer.data(), static_cast<std::size_t>(n));
  return flush();
}

Pump::Step Pump::flush() {
  const int to = destination();
  std::size_t written = 0;
  while (written < pending_.size()) {
    const ssize_t n = ::write(to, pending_.data() + written, pending_.size() - written);
    if (n >= 0) {
      written += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      pending_.erase(0, written);
      return Step::kWaitDestination;
    } else if (errno != EINTR) {
      if (when_broken_ == WhenBroken::kStop) return Step::kEnd;
      broken_ = true;
      break;
    }
  }
  // Idle pumps keep no memory.
  std::string().swap(pending_);
  return Step::kAgain;
}

}  // namespace ward::shim::streams
