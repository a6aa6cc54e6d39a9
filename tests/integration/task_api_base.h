// SPDX-License-Identifier: Apache-2.0
// What the tests of the Task service share: a shim with one container that containerd knows, and
// containers of the test's own in it, made by calls to the shim alone.
#pragma once

#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "containerd/options.pb.h"
#include "lib/base/file.h"
#include "lib/linux/cgroup.h"
#include "lib/linux/cgroup_controllers.h"
#include "tests/integration/node_test_base.h"
#include "tests/support/task_client.h"

namespace ward::test {

template <typename T>
Code code_of(const Result<T>& result) {
  return result ? Code::kOk : result.error().code;
}

template <typename T>
std::string message_of(const Result<T>& result) {
  return result ? std::string() : result.error().message;
}

class TaskApiTest : public NodeTest {
 protected:
  void SetUp() override {
    carrier_ = node().unique("carrier");
    const Output started = node().ctr(
        {"run", "-d", "--runtime", carrier_runtime(), kBoxImage, carrier_, "/box", "wait"});
    ASSERT_EQ(started.status, 0) << started.err;
    const bool stock_of_2 = carrier_runtime() != kWardRuntime && containerd_version().major >= 2;
    tasks_ = std::make_unique<TaskClient>(node().shim_socket(carrier_), stock_of_2 ? "v3" : "v2");
  }
  void TearDown() override {
    for (const auto& bundle : bundles_) {
      (void)tasks_->kill(bundle->id(), SIGKILL, {}, true);
      (void)tasks_->wait(bundle->id());
      (void)tasks_->remove(bundle->id());
    }
    tasks_.reset();
    node().remove(carrier_);
    bundles_.clear();
  }

  // Whose shim is asked.
  [[nodiscard]] virtual std::string carrier_runtime() const { return kWardRuntime; }

  const Bundle& make_bundle(const std::string& name, const std::vector<std::string>& command) {
    bundles_.push_back(std::make_unique<Bundle>(node(), carrier_, name, command));
    return *bundles_.back();
  }
  Result<containerd::CreateTaskResponse> create(const containerd::CreateTaskRequest& request) {
    return tasks_->call<containerd::CreateTaskResponse>("Create", request);
  }
  const Bundle& create_box(const std::string& name,
                           const std::vector<std::string>& command = {"/box", "wait"}) {
    const Bundle& bundle = make_bundle(name, command);
    const auto created = create(bundle.create_request());
    EXPECT_TRUE(created.has_value()) << created.error().message;
    return bundle;
  }
  const Bundle& start_box(const std::string& name,
                          const std::vector<std::string>& command = {"/box", "wait"}) {
    const Bundle& bundle = create_box(name, command);
    const auto started = tasks_->start(name);
    EXPECT_TRUE(started.has_value()) << started.error().message;
    return bundle;
  }
  containerd::Status status(const std::string& id, const std::string& exec_id = {}) {
    const auto state = tasks_->state(id, exec_id);
    return state ? state->status() : containerd::STATUS_UNKNOWN;
  }
  // Whether the carrier's cgroup has this file: the unified half of a hybrid host has no
  // controllers.
  bool has_cgroup_file(const std::string& controller, const char* file) {
    const auto membership =
        read_cgroup_membership(static_cast<pid_t>(tasks_->state(carrier_)->pid()));
    const auto directory = CgroupHierarchies::read()->find(controller, membership.value_or(""));
    return !directory.empty() && std::filesystem::exists(directory / file);
  }
  // A runtime that writes down its verbs, and stops in `held` until somebody writes to the FIFO
  // "held".
  std::string make_recording_runtime(const std::filesystem::path& directory,
                                     const std::string& held = "none") {
    const auto path = directory / "recording-runtime";
    std::ofstream(path) << "#!/bin/sh\nfor word; do case $word in "
                           "create|start|kill|delete|pause|resume|exec|ps|state|"
                           "update|events|checkpoint|restore) echo $word >>'"
                        << (directory / "verbs").string() << "'; [ $word = " << held
                        << " ] && read go <'" << (directory / "held").string()
                        << "'; break;; esac; done\nexec runc \"$@\"\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    ::mkfifo((directory / "held").c_str(), 0600);
    return path;
  }
  static std::vector<std::string> verbs(const std::filesystem::path& directory) {
    std::istringstream lines(read_file(directory / "verbs").value_or(""));
    std::vector<std::string> result;
    for (std::string line; std::getline(lines, line);) result.push_back(line);
    return result;
  }
  static containerd::CreateTaskRequest with_runtime(containerd::CreateTaskRequest request,
                                                    const std::string& binary) {
    containerd::RuncOptions options;
    options.set_binary_name(binary);
    request.mutable_options()->set_type_url("containerd.runc.v1.Options");
    request.mutable_options()->set_value(options.SerializeAsString());
    return request;
  }

  std::string carrier_;
  std::unique_ptr<TaskClient> tasks_;
  std::vector<std::unique_ptr<Bundle>> bundles_;
};

}  // namespace ward::test
