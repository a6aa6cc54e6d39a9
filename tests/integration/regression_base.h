// SPDX-License-Identifier: Apache-2.0
// What the tests of other shims' bugs share: a look at the shim's descriptors, calls that are
// answered later, runtimes that return at a bad moment.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "containerd/types.pb.h"
#include "tests/integration/task_api_base.h"

namespace ward::test {

// A patch of config.json: no pid namespace, so that no kernel ends the others with the init.
inline constexpr char kHostPidNamespace[] =
    R"({"linux":{"namespaces":[{"type":"mount"},{"type":"ipc"},{"type":"uts"},{"type":"network"}]}})";

class Regression : public TaskApiTest {
 protected:
  Regression() = default;
  [[nodiscard]] pid_t shim() const { return node().shim_pid(carrier_); }
  // What the shim has open, as the links of /proc say it.
  [[nodiscard]] std::vector<std::string> descriptors() const {
    std::vector<std::string> result;
    std::error_code ignored;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(shim()) + "/fd", ignored)) {
      result.push_back(std::filesystem::read_symlink(entry.path(), ignored));
    }
    return result;
  }
  [[nodiscard]] long count_descriptors(const std::string& kind) const {
    const auto all = descriptors();
    return std::count_if(all.begin(), all.end(),
                         [&](const auto& link) { return link.find(kind) != std::string::npos; });
  }
  // An exec session in the carrier; `arguments` is a JSON list.
  Result<containerd::Empty> exec_on(const std::string& exec_id, const std::string& arguments,
                                    const std::filesystem::path& out, bool terminal) {
    containerd::ExecProcessRequest request;
    request.set_id(carrier_);
    request.set_exec_id(exec_id);
    request.set_terminal(terminal);
    request.set_stdout(out);
    request.mutable_spec()->set_type_url(
        "types.containerd.io/opencontainers/runtime-spec/1/Process");
    request.mutable_spec()->set_value(R"({"cwd":"/","args":)" + arguments + "}");
    return tasks_->call<containerd::Empty>("Exec", request);
  }
  // Whose ends containerd was told of, in order: exec ids, and the container's own for its init.
  static std::vector<std::string> ends_of(const Events& events, const std::string& id) {
    std::vector<std::string> ends;
    std::istringstream lines(events.text());
    const std::string key = R"("container_id":")" + id + R"(","id":")";
    for (std::string line; std::getline(lines, line);) {
      const auto at = line.find(key);
      if (line.find(" /tasks/exit ") == std::string::npos || at == std::string::npos) continue;
      const auto begin = at + key.size();
      ends.push_back(line.substr(begin, line.find('"', begin) - begin));
    }
    return ends;
  }
  std::string fifo(const Bundle& bundle, const char* name) {
    const std::string path = bundle.path() / name;
    ::mkfifo(path.c_str(), 0600);
    return path;
  }
  void wait_begin(const std::string& id, const std::string& exec_id,
                  std::function<void(Result<std::string>)> then) {
    containerd::WaitRequest request;
    request.set_id(id);
    request.set_exec_id(exec_id);
    tasks_->begin("Wait", request, "v2", std::move(then));
  }
  void start_begin(const std::string& id, const std::string& exec_id,
                   std::function<void(Result<std::string>)> then) {
    containerd::StartRequest request;
    request.set_id(id);
    request.set_exec_id(exec_id);
    tasks_->begin("Start", request, "v2", std::move(then));
  }
  // A whole life; the exit status, or -1.
  int live(const std::string& id, const std::vector<std::string>& command) {
    const Bundle bundle(node(), carrier_, id, command);
    if (!create(bundle.create_request()) || !tasks_->start(id)) return -1;
    const auto ended = tasks_->wait(id);
    const auto deleted = tasks_->remove(id);
    return ended && deleted && ended->exit_status() == deleted->exit_status()
               ? static_cast<int>(ended->exit_status())
               : -1;
  }
};

}  // namespace ward::test
