// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recorder/calibration.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "enforcer/recorder/calibration_program.h"
#include "enforcer/recorder/calibration_remains.h"
#include "enforcer/recorder/recorder.h"
#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/escape.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/linux/child_process.h"
#include "lib/linux/pidfd.h"
#include "lib/oci/bundle.h"

namespace ward::recorder {
namespace {

constexpr std::int64_t kStepTimeout_ns = 10'000'000'000;

// What containerd asks for by default, where it could change what the runtime does under the
// filter. The cgroup is named by its whole path, so that it can be found by whoever clears up.
constexpr std::string_view kConfig = R"({
  "ociVersion": "1.0.2",
  "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["/program"], "env": ["PATH=/"],
    "capabilities": {"bounding": ["CAP_CHOWN", "CAP_KILL"], "effective": ["CAP_CHOWN", "CAP_KILL"],
                     "permitted": ["CAP_CHOWN", "CAP_KILL"]}},
  "root": {"path": "rootfs"},
  "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
             {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]}],
  "linux": {"namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, {"type": "network"}],
    "cgroupsPath": "/CALIBRATION", "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"]}})";

// Allows everything and yet has a listener, so that the runtime does what it does for an enforced
// container: it sends the listener's descriptor away. Nothing here ever calls reboot.
oci::Seccomp make_filter(const std::string& listener) {
  oci::Seccomp filter;
  filter.architectures = {oci::native_scmp_arch()};
  filter.listener_path = listener;
  filter.rules.push_back({{"reboot"}, oci::SeccompAction::kNotify, {}, {}});
  return filter;
}

class Calibration {
 public:
  explicit Calibration(const CalibrationRequest& request)
      : request_(request),
        id_(calibration_prefix(request.work_directory) + random_hex(4)),
        directory_(request.work_directory / id_),
        recorder_(Recorder::open({})),
        stop_(request.stop) {}
  ~Calibration();
  Calibration(const Calibration&) = delete;
  Calibration& operator=(const Calibration&) = delete;

  Result<RuntimeLayer> measure();

 private:
  enum class Recorded { kNot, kStart, kExec };
  Result<void> prepare();
  Result<void> make_bundle() const;
  Result<void> listen();
  Result<void> run(std::vector<std::string> verb, Recorded recorded, int output = -1);
  std::string ask_version();
  Result<void> await(const Child& child);
  Result<void> await_program() const;

  const CalibrationRequest& request_;
  std::string id_;
  std::filesystem::path directory_;
  std::unique_ptr<Recorder> recorder_;
  UniqueFd listener_, from_program_, to_us_;
  int stop_;
  bool created_ = false;
};

Calibration::~Calibration() {
  stop_ = -1;  // what remains to be done is done
  if (created_) static_cast<void>(run({"delete", "--force", id_}, Recorded::kNot));
  recorder_->shutdown(Pins::kRemove);
  // The runtime deletes only what it has a record of: one that was cut short has written none.
  if (auto cleared = clear_calibration(request_.work_directory, id_); !cleared)
    log::warn("calibration not cleared away", {{"error", cleared.error().message}});
}

Result<void> Calibration::make_bundle() const {
  const auto rootfs = directory_ / "rootfs";
  std::error_code error;
  for (const char* name : {"proc", "dev"}) {
    std::filesystem::create_directories(rootfs / name, error);
    if (error) return fail_errno("create " + (rootfs / name).string(), error.value());
  }
  std::string text(kConfig);
  constexpr std::string_view kPlaceholder = "CALIBRATION";
  text.replace(text.find(kPlaceholder), kPlaceholder.size(), id_);
  auto config = oci::Config::parse(text);
  if (!config) return tl::unexpected(config.error());
  config->set_no_new_privileges(request_.no_new_privileges);
  config->set_seccomp(make_filter((directory_ / "listener").string()));
  return write_file_atomically(rootfs / "program", waiting_program(), 0755, Durability::kNone)
      .and_then([&] {
        return write_file_atomically(rootfs / "exit", exiting_program(), 0755, Durability::kNone);
      })
      .and_then([&] {
        return write_file_atomically(directory_ / "config.json", config->dump(), 0600,
                                     Durability::kNone);
      });
}

// Nobody accepts: the runtime's message waits in the backlog until the socket is closed.
Result<void> Calibration::listen() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = directory_ / "listener";
  if (path.size() >= sizeof(address.sun_path))
    return fail(Code::kInvalidArgument, "too long for a socket: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener_ ||
      ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(listener_.get(), 8) != 0)
    return fail_errno("listen on " + path);
  return {};
}

Result<void> Calibration::prepare() {
  if (waiting_program().empty())
    return fail(Code::kUnimplemented, "no calibration program for this architecture");
  if (!recorder_->available()) return fail(Code::kFailedPrecondition, recorder_->status());
  if (::mkdir(directory_.c_str(), 0700) != 0) return fail_errno("create " + directory_.string());
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("create a pipe");
  from_program_.reset(ends[0]);
  to_us_.reset(ends[1]);
  return make_bundle().and_then([&] { return listen(); });
}

Result<void> Calibration::await(const Child& child) {
  auto pidfd = open_pidfd(child.pid);
  if (!pidfd) return tl::unexpected(pidfd.error());
  std::array<pollfd, 2> events{pollfd{pidfd->get(), POLLIN, 0}, pollfd{stop_, POLLIN, 0}};
  const bool in_time = ::poll(events.data(), events.size(), kStepTimeout_ns / 1'000'000) > 0;
  const bool ended = events[0].revents != 0;
  if (!ended) static_cast<void>(send_signal(*pidfd, SIGKILL));
  int status = 0;
  while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!in_time) return fail(Code::kDeadlineExceeded, "did not end within 10 s");
  if (!ended) return fail(Code::kCanceled, "wardd stops");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  const auto said = read_file(directory_ / "stderr");
  return fail(Code::kInternal, "failed: " + (said ? escape(*said, 512) : std::to_string(status)));
}

Result<void> Calibration::run(std::vector<std::string> verb, Recorded recorded, int output) {
  const UniqueFd complaints(
      ::open((directory_ / "stderr").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!complaints) return fail_errno("create " + (directory_ / "stderr").string());
  ChildSpec spec;
  spec.program = request_.runtime.string();
  spec.argv = {spec.program, "--root", (directory_ / "runtime").string()};
  spec.argv.insert(spec.argv.end(), verb.begin(), verb.end());
  // What systemd told wardd is for wardd: runc with a NOTIFY_SOCKET gives it to the container.
  spec.environment =
      environment_without({"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "JOURNAL_STREAM"});
  spec.descriptors = {{complaints.get(), 2}};
  if (output >= 0) spec.descriptors.emplace_back(output, 1);
  spec.gated = recorded != Recorded::kNot;
  auto child = start_child(spec);
  if (!child) return tl::unexpected(child.error());
  Result<void> tagged;
  if (recorded == Recorded::kStart) tagged = recorder_->begin(id_, child->pid);
  if (recorded == Recorded::kExec) tagged = recorder_->add_exec(id_, child->pid);
  // A child that could not be tagged measures nothing: it ends at its gate, and is reaped like any
  // other.
  if (tagged && spec.gated) child->gate.open();
  if (!tagged) child->gate = Gate();
  auto ended = await(*child);
  if (!tagged) return tagged;
  if (const auto never_ran = find_start_failure(child->failure))
    return fail_with("start " + spec.program, *never_ran);
  if (!ended) return fail_with(spec.program + " " + verb.front(), ended.error());
  return {};
}

// The program's first act is one byte on its standard output: from then on the runtime layer is
// complete.
Result<void> Calibration::await_program() const {
  std::array<pollfd, 2> events{pollfd{from_program_.get(), POLLIN, 0}, pollfd{stop_, POLLIN, 0}};
  char byte = 0;
  if (::poll(events.data(), events.size(), kStepTimeout_ns / 1'000'000) <= 0)
    return fail(Code::kDeadlineExceeded, "the program did not run");
  if (events[0].revents == 0) return fail(Code::kCanceled, "wardd stops");
  if (::read(from_program_.get(), &byte, 1) != 1)
    return fail(Code::kInternal, "the program ended before it ran");
  return {};
}

// A name for people, so a runtime that does not tell it is measured all the same.
std::string Calibration::ask_version() {
  const auto path = directory_ / "version";
  const UniqueFd answer(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!answer || !run({"--version"}, Recorded::kNot, answer.get())) return "";
  constexpr std::size_t kMaxBytes = 4096;
  return parse_runtime_version(read_file(path, kMaxBytes).value_or(""));
}

Result<RuntimeLayer> Calibration::measure() {
  if (auto ready = prepare(); !ready) return tl::unexpected(ready.error());
  created_ = true;  // also where create fails half-way
  auto done = run({"create", "--bundle", directory_.string(), id_}, Recorded::kStart, to_us_.get());
  to_us_.reset();
  done = done.and_then([&] {
               return run({"start", id_}, Recorded::kNot);
             })
             .and_then([&] { return await_program(); })
             .and_then([&] {
               return run({"exec", id_, "/exit"}, Recorded::kExec);
             });
  if (!done) return tl::unexpected(done.error());
  auto seen = recorder_->end(id_);
  if (!seen) return tl::unexpected(seen.error());
  if (seen->lost_events != 0)
    return fail(Code::kAborted, std::to_string(seen->lost_events) + " events were lost");
  RuntimeLayer layer;
  for (const auto& call : seen->runtime)
    (call.origin == profiles::Origin::kExec ? layer.exec : layer.create).insert(call.nr);
  if (layer.create.empty() || layer.exec.empty())
    return fail(Code::kInternal, "the runtime loaded no filter");
  layer.version = ask_version();
  return layer;
}

}  // namespace

Result<RuntimeLayer> calibrate(const CalibrationRequest& request) {
  auto layer = Calibration(request).measure();
  if (!layer) return fail_with("measure the calls of " + request.runtime.string(), layer.error());
  return layer;
}

std::string parse_runtime_version(std::string_view answer) {
  constexpr std::string_view kBefore = " version ";
  constexpr std::size_t kMost = 40;
  answer = answer.substr(0, answer.find('\n'));
  const auto at = answer.find(kBefore);
  if (at == std::string_view::npos) return "";
  answer.remove_prefix(at + kBefore.size());
  return std::string(answer.substr(0, std::min(answer.find(' '), kMost)));
}

}  // namespace ward::recorder
