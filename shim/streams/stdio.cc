// SPDX-License-Identifier: Apache-2.0
#include "shim/streams/stdio.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asio/post.hpp>
#include <filesystem>

#include "lib/linux/pty.h"

namespace ward::shim::streams {
namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe2");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// The two ends are two open files: only ours becomes non-blocking, the container's stays as
// programs expect it.
void make_non_blocking(const UniqueFd& fd) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

bool is_fifo(const UniqueFd& fd) {
  struct stat status = {};
  return ::fstat(fd.get(), &status) == 0 && S_ISFIFO(status.st_mode);
}

Result<UniqueFd> open_path(const std::string& path, int flags, mode_t mode = 0) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode));
  if (!fd) return fail_errno("open " + path);
  return fd;
}

}  // namespace

Stdio::Stdio(asio::io_context& loop) : loop_(loop), drain_limit_(loop) {}

Stdio::~Stdio() { close(); }

Result<std::unique_ptr<Stdio>> Stdio::open(asio::io_context& loop, const StdioSpec& spec,
                                           const LogOwner& owner) {
  std::unique_ptr<Stdio> stdio(new Stdio(loop));
  if (!spec.terminal) {
    if (auto ok = stdio->make_pipes(spec); !ok) return tl::unexpected(ok.error());
  }
  if (auto ok = stdio->connect(spec, owner); !ok) return tl::unexpected(ok.error());
  return stdio;
}

Result<std::unique_ptr<Stdio>> Stdio::open_pipes(asio::io_context& loop, const StdioSpec& spec) {
  std::unique_ptr<Stdio> stdio(new Stdio(loop));
  if (auto ok = stdio->make_pipes(spec); !ok) return tl::unexpected(ok.error());
  return stdio;
}

Result<void> Stdio::connect(const StdioSpec& spec, const LogOwner& owner) {
  if (!spec.in.empty()) {
    if (auto ok = open_input(spec.in); !ok) return ok;
  }
  if (auto ok = open_outputs(spec, owner); !ok) return ok;
  if (container_in_) {
    pumps_.push_back(std::make_shared<Pump>(loop_, std::move(client_in_), std::move(container_in_),
                                            Pump::WhenBroken::kStop));
    pumps_.back()->start(nullptr);
  }
  if (container_out_) pump_output(std::move(container_out_), std::move(client_out_));
  if (container_err_) pump_output(std::move(container_err_), std::move(client_err_));
  return {};
}

Result<void> Stdio::open_outputs(const StdioSpec& spec, const LogOwner& owner) {
  const auto out = parse_log_uri(spec.out);
  if (!out) return tl::unexpected(out.error());
  // A scheme in stdout is for both streams.
  if (out->is_logger()) return start_logger(spec, *out, owner);
  if (!spec.out.empty()) {
    auto fd = open_output(*out);
    if (!fd) return tl::unexpected(fd.error());
    client_out_ = std::move(*fd);
  }
  const std::string& err = out->scheme == "file" ? spec.out : spec.err;
  if (!err.empty() && !spec.terminal) {
    const auto uri = parse_log_uri(err);
    if (!uri) return tl::unexpected(uri.error());
    auto fd = open_output(*uri);
    if (!fd) return tl::unexpected(fd.error());
    client_err_ = std::move(*fd);
  }
  return {};
}

Result<void> Stdio::start_logger(const StdioSpec& spec, const LogUri& uri, const LogOwner& owner) {
  auto output = make_pipe();
  auto errors = make_pipe();
  if (!output || !errors) return tl::unexpected(output ? errors.error() : output.error());
  for (const auto* end : {&output->write, &errors->write}) {
    if (::fchown(end->get(), spec.uid, spec.gid) != 0)
      return fail_errno("chown the standard streams");
  }
  auto logger =
      LoggerProcess::start(loop_, owner, uri, std::move(output->read), std::move(errors->read));
  if (!logger) return tl::unexpected(logger.error());
  logger_ = std::move(*logger);
  ++running_outputs_;
  logger_->when_ended([this] { output_ended(); });
  if (spec.terminal) {
    // One stream: the logger sees the end of the other at once.
    make_non_blocking(output->write);
    client_out_ = std::move(output->write);
    return {};
  }
  child_ends_.emplace_back(std::move(output->write), 1);
  child_ends_.emplace_back(std::move(errors->write), 2);
  return {};
}

void Stdio::when_ready(LoggerProcess::Ready ready) {
  if (logger_) return logger_->when_ready(std::move(ready));
  ready({});
}

Result<void> Stdio::open_input(const std::string& path) {
  auto fd = open_path(path, O_RDONLY);
  if (!fd) return tl::unexpected(fd.error());
  if (is_fifo(*fd)) {
    auto keeper = open_path(path, O_WRONLY);
    if (!keeper) return tl::unexpected(keeper.error());
    stdin_keeper_ = std::move(*keeper);
  }
  client_in_ = std::move(*fd);
  return {};
}

Result<UniqueFd> Stdio::open_output(const LogUri& where) {
  const std::string& path = where.path;
  if (where.scheme == "file") {
    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
    return open_path(path, O_WRONLY | O_APPEND | O_CREAT, 0644);
  }
  if (where.scheme != "fifo")
    return fail(Code::kInvalidArgument, "unknown STDIO scheme " + where.scheme);
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return fail_errno("open " + path);
  if (!S_ISFIFO(status.st_mode)) return open_path(path, O_WRONLY | O_APPEND);
  // Our own reader first: then opening for writing succeeds at once, whether or not the client is
  // there yet.
  auto keeper = open_path(path, O_RDONLY);
  if (!keeper) return keeper;
  output_keepers_.push_back(std::move(*keeper));
  return open_path(path, O_WRONLY);
}

Result<void> Stdio::make_pipes(const StdioSpec& spec) {
  struct Stream {
    bool wanted;
    UniqueFd& ours;
    int target;
  };
  const auto out = parse_log_uri(spec.out);
  if (!out) return tl::unexpected(out.error());
  // A logger has pipes of its own, and a scheme in stdout is for both streams.
  const bool has_logger = out->is_logger();
  const std::string& err = out->scheme == "file" ? spec.out : spec.err;
  for (const Stream stream : {Stream{!spec.in.empty(), container_in_, 0},
                              Stream{!spec.out.empty() && !has_logger, container_out_, 1},
                              Stream{!err.empty() && !has_logger, container_err_, 2}}) {
    if (!stream.wanted) continue;
    auto pipe = make_pipe();
    if (!pipe) return tl::unexpected(pipe.error());
    const bool input = stream.target == 0;
    UniqueFd& ours = input ? pipe->write : pipe->read;
    UniqueFd& theirs = input ? pipe->read : pipe->write;
    if (::fchown(theirs.get(), spec.uid, spec.gid) != 0)
      return fail_errno("chown the standard streams");
    make_non_blocking(ours);
    stream.ours = std::move(ours);
    child_ends_.emplace_back(std::move(theirs), stream.target);
  }
  return {};
}

template <typename Source>
void Stdio::pump_output(Source source, UniqueFd destination) {
  ++running_outputs_;
  pumps_.push_back(std::make_shared<Pump>(loop_, std::move(source), std::move(destination),
                                          Pump::WhenBroken::kDiscard));
  outputs_.push_back(pumps_.back());
  pumps_.back()->start([this] { output_ended(); });
}

std::vector<std::pair<int, int>> Stdio::child_descriptors() const {
  std::vector<std::pair<int, int>> result;
  for (const auto& [fd, target] : child_ends_) result.emplace_back(fd.get(), target);
  return result;
}

void Stdio::release_child_descriptors() { child_ends_.clear(); }

void Stdio::hold_output(bool only_runtime) {
  for (const auto& pump : outputs_)
    pump->hold(only_runtime ? Pump::WhenFull::kDrop : Pump::WhenFull::kRelease);
}

void Stdio::begin_output() {
  for (const auto& pump : outputs_) pump->release(Pump::Held::kGoesOn);
}

Result<void> Stdio::attach_terminal(UniqueFd master) {
  make_non_blocking(master);
  terminal_ = std::make_shared<asio::posix::stream_descriptor>(loop_, master.release());
  if (!client_out_) {
    // Somebody must read, or a process that writes to its terminal stops when that is full.
    client_out_.reset(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (!client_out_) return fail_errno("open /dev/null");
  }
  pump_output(terminal_, std::move(client_out_));
  if (client_in_) {
    pumps_.push_back(
        std::make_shared<Pump>(loop_, std::move(client_in_), terminal_, Pump::WhenBroken::kStop));
    pumps_.back()->start(nullptr);
  }
  return {};
}

Result<void> Stdio::resize(std::uint16_t columns, std::uint16_t rows) {
  if (!terminal_ || !terminal_->is_open()) return {};
  return resize_terminal(terminal_->native_handle(), columns, rows);
}

void Stdio::close_terminal() {
  asio::error_code ignored;
  if (const auto terminal = std::exchange(terminal_, nullptr)) terminal->close(ignored);
}

void Stdio::close_stdin() { stdin_keeper_.reset(); }

void Stdio::output_ended() {
  if (--running_outputs_ > 0) return;
  // Every terminal left open costs a pty of the node.
  if (terminal_) {
    for (const auto& pump : pumps_) pump->stop();
  }
  close_terminal();
  drain_limit_.cancel();
  if (auto done = std::exchange(drained_, nullptr)) done();
}

void Stdio::drain(std::chrono::nanoseconds limit, std::function<void()> done) {
  for (const auto& pump : outputs_) pump->release(Pump::Held::kIsDropped);
  if (running_outputs_ == 0) {
    asio::post(loop_, std::move(done));
    return;
  }
  drained_ = std::move(done);
  drain_limit_.expires_after(limit);
  drain_limit_.async_wait([this](const asio::error_code& error) {
    if (error) return;
    if (auto late = std::exchange(drained_, nullptr)) late();
  });
}

void Stdio::close() {
  for (const auto& pump : pumps_) pump->stop();
  pumps_.clear();
  outputs_.clear();
  if (const auto logger = std::exchange(logger_, nullptr)) logger->end();
  running_outputs_ = 0;
  drained_ = nullptr;
  drain_limit_.cancel();
  child_ends_.clear();
  output_keepers_.clear();
  stdin_keeper_.reset();
  for (auto* end :
       {&client_in_, &client_out_, &client_err_, &container_in_, &container_out_, &container_err_})
    end->reset();
  close_terminal();
}

}  // namespace ward::shim::streams
