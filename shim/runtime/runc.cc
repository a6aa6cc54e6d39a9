// SPDX-License-Identifier: Apache-2.0
#include "shim/runtime/runc.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "lib/base/fault.h"
#include "lib/linux/child_process.h"
#include "lib/linux/memory_file.h"

namespace ward::shim::runtime {
namespace {

constexpr int kLogDescriptor = 3;
constexpr std::size_t kLargestOutput = 4U << 20U;

std::string read_back(const UniqueFd& fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; text.size() < kLargestOutput;
       text.append(buffer, static_cast<std::size_t>(n))) {
    n = ::pread(fd.get(), buffer, sizeof(buffer), static_cast<off_t>(text.size()));
    if (n <= 0) break;
  }
  return text;
}

std::string describe(const Exit& exit) {
  if (WIFSIGNALED(exit.wait_status)) return "signal " + std::to_string(WTERMSIG(exit.wait_status));
  return "exit status " + std::to_string(WEXITSTATUS(exit.wait_status));
}

// Lives from fork to exit of one call.
struct Running {
  std::string verb;
  UniqueFd log;
  UniqueFd output;
  UniqueFd start_failure;
  std::shared_ptr<Gate> gate;
  Runc::Done done;
};

void finish(const Running& call, const Exit& exit) {
  if (auto ok = fault::point(call.verb, ".after-runtime"); !ok)
    return call.done(tl::unexpected(ok.error()));
  std::string output = call.output ? read_back(call.output) : std::string();
  if (exit.wait_status == 0) return call.done(std::move(output));
  const std::string prefix = "OCI runtime " + call.verb + " failed: ";
  if (const auto never_ran = find_start_failure(call.start_failure)) {
    auto failure = with_context(prefix + "start the runtime", *never_ran);
    failure.code = Code::kUnknown;  // NotFound would speak of the container
    return call.done(tl::unexpected(std::move(failure)));
  }
  std::string message = find_last_error(read_back(call.log));
  if (message.empty() && !output.empty()) message = output.substr(0, 1024);
  if (message.empty())
    message = "unable to retrieve OCI runtime error (its log is empty): " + describe(exit);
  // In a create or an exec the same words speak of the program or a mount, not of the container.
  const bool makes_process = call.verb == "create" || call.verb == "exec";
  const Code code = !makes_process && says_not_found(message) ? Code::kNotFound : Code::kUnknown;
  call.done(fail(code, prefix + message));
}

// Without systemd's socket: that is the daemon's, and nothing that the runtime starts may report to
// it.
std::vector<std::string> runtime_environment(const std::string& path_first) {
  if (path_first.empty()) return environment_without({"NOTIFY_SOCKET"});
  auto environment = environment_without({"NOTIFY_SOCKET", "PATH"});
  const char* path = ::getenv("PATH");
  environment.push_back("PATH=" + path_first +
                        (path != nullptr ? ":" + std::string(path) : std::string()));
  return environment;
}

bool gives(const RuncCall& call, int target) {
  return std::any_of(call.descriptors.begin(), call.descriptors.end(),
                     [&](auto& d) { return d.second == target; });
}

}  // namespace

Runc::Runc(Reaper& reaper, RuncPlace place) : reaper_(reaper), place_(std::move(place)) {}

void Runc::run(RuncCall call, Done done) {
  auto running = std::make_shared<Running>();
  running->verb = call.arguments.front();
  running->done = std::move(done);
  if (auto ok = fault::point(running->verb, ".before-runtime"); !ok)
    return running->done(tl::unexpected(ok.error()));
  auto log = make_memory_file("runtime-log");
  if (!log) return running->done(tl::unexpected(log.error()));
  running->log = std::move(*log);

  ChildSpec spec;
  spec.program = place_.binary;
  spec.argv = {place_.binary,     "--root",       place_.root, "--log",
               "/proc/self/fd/3", "--log-format", "json"};
  if (place_.systemd_cgroup) spec.argv.emplace_back("--systemd-cgroup");
  spec.argv.insert(spec.argv.end(), call.arguments.begin(), call.arguments.end());
  spec.environment = runtime_environment(call.path_first);
  // A bundle that somebody removed must not keep the runtime from ending what is left.
  if (::access(place_.directory.c_str(), X_OK) == 0) spec.directory = place_.directory;
  spec.descriptors = call.descriptors;
  spec.descriptors.emplace_back(running->log.get(), kLogDescriptor);
  // What a container's process writes would be kept in memory for as long as it lives; of what the
  // runtime itself has to say, the log tells the reason.
  if (!gives(call, 1) && !call.passes_stdio_on) {
    auto output = make_memory_file("runtime-output");
    if (!output) return running->done(tl::unexpected(output.error()));
    running->output = std::move(*output);
    spec.descriptors.emplace_back(running->output.get(), 1);
    if (!gives(call, 2)) spec.descriptors.emplace_back(running->output.get(), 2);
  }
  spec.gated = static_cast<bool>(call.gate);

  auto child = start_child(spec);
  if (!child) return running->done(fail_with("run " + place_.binary, child.error()));
  running->start_failure = std::move(child->failure);
  running->gate = std::make_shared<Gate>(std::move(child->gate));
  reaper_.watch(child->pid, [running](Exit exit) { finish(*running, exit); });
  fault::pass(running->verb, ".in-runtime");
  if (call.gate) call.gate(child->pid, [gate = running->gate] { gate->open(); });
}

}  // namespace ward::shim::runtime
