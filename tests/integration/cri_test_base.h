// SPDX-License-Identifier: Apache-2.0
// Pods, as a kubelet makes them: containerd's own CRI plugin with Ward as the runtime, in both ways
// to install it. A test's parameter is the runtime handler (peers.h); with WARD_TEST_STOCK=1 the
// stock shim is asked the same.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/cri_client.h"
#include "tests/support/node.h"

namespace ward::test {

struct Pod {
  std::string id;
  cri::PodSandboxConfig config;
};

class CriTest : public testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() {
    node_ = std::make_unique<Node>(Cri::kOn);
    start_containerd();
    for (const char* image : {"pause", "box", "nobody"}) {
      node_->import_image(image);
      const std::string name = "docker.io/ward/" + std::string(image) + ":demo";
      EXPECT_TRUE(await([&] { return !client().image_id(name).value_or("").empty(); }))
          << "CRI does not know " << name;
    }
  }
  static void TearDownTestSuite() {
    remove_pods();
    client_.reset();
    node_->stop();
    node_.reset();
  }
  void TearDown() override { remove_pods(); }

  static Node& node() { return *node_; }
  static CriClient& client() { return *client_; }
  // `patience`: for what it has to recover, which it does one by one.
  static void start_containerd(std::chrono::seconds patience = kPatience) {
    node_->start_containerd();
    client_ = std::make_unique<CriClient>(node_->containerd_socket());
    const auto is_ready = [] {
      const auto status = client().status();
      if (!status) return false;
      bool ready = status->conditions_size() > 0;
      for (const auto& condition : status->conditions())
        if (condition.type() == "RuntimeReady" || condition.type() == "NetworkReady")
          ready = ready && condition.status();
      return ready;
    };
    EXPECT_TRUE(await(is_ready, patience)) << "CRI does not become ready";
  }

  template <typename Config>
  static cri::NamespaceOption* namespaces_of(Config& config) {
    return config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
  }

  static cri::PodSandboxConfig pod_config(const std::string& name) {
    cri::PodSandboxConfig config;
    config.mutable_metadata()->set_name(name);
    config.mutable_metadata()->set_uid(node().unique(name));
    config.mutable_metadata()->set_namespace_("tests");
    config.set_hostname(name);
    config.set_log_directory((node().directory() / "logs" / config.metadata().uid()).string());
    std::filesystem::create_directories(config.log_directory());
    config.mutable_linux()->set_cgroup_parent("/" + node().name());
    namespaces_of(config)->set_pid(cri::CONTAINER);
    return config;
  }
  Pod start_pod(cri::PodSandboxConfig config) {
    auto id = client().run_pod(config, handler());
    EXPECT_TRUE(id) << id.error().message;
    return Pod{id.value_or(""), std::move(config)};
  }
  Pod start_pod(const std::string& name) { return start_pod(pod_config(name)); }

  static cri::ContainerConfig container_config(const std::string& name,
                                               const std::vector<std::string>& command,
                                               const std::string& image = "box") {
    cri::ContainerConfig config;
    config.mutable_metadata()->set_name(name);
    config.mutable_image()->set_image("docker.io/ward/" + image + ":demo");
    for (const std::string& word : command) config.add_command(word);
    config.set_log_path(name + ".log");
    namespaces_of(config)->set_pid(
        cri::CONTAINER);  // as a kubelet does, unless the pod shares its processes
    return config;
  }
  static std::string start(const Pod& pod, const cri::ContainerConfig& config) {
    const auto id = client().create_container(pod.id, config, pod.config);
    EXPECT_TRUE(id) << id.error().message;
    const auto started = client().start_container(id.value_or(""));
    EXPECT_TRUE(started) << started.error().message;
    return id.value_or("");
  }
  static std::string start(const Pod& pod, const std::string& name,
                           const std::vector<std::string>& command) {
    return start(pod, container_config(name, command));
  }
  static cri::ContainerStatus await_exit(const std::string& container) {
    cri::ContainerStatus status;
    EXPECT_TRUE(await([&] {
      status = client().container_status(container).value_or(cri::ContainerStatus());
      return status.state() == cri::CONTAINER_EXITED;
    })) << "still "
        << cri::ContainerState_Name(status.state());
    return status;
  }
  // What a probe of a kubelet sees.
  static cri::ExecSyncResponse exec(const std::string& container,
                                    const std::vector<std::string>& command) {
    const auto done = client().exec_sync(container, command);
    EXPECT_TRUE(done) << done.error().message;
    return done.value_or(cri::ExecSyncResponse());
  }
  static std::string log_of(const Pod& pod, const std::string& name) {
    std::ifstream file(pod.config.log_directory() + "/" + name + ".log");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // "net", "pid", ... of a process, as the kernel names it.
  static std::string namespace_of(pid_t pid, const std::string& kind) {
    std::error_code error;
    return std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/ns/" + kind, error)
        .string();
  }
  static const char* handler() { return GetParam(); }

  static void remove_pods() {
    for (const std::string& pod : client().pods().value_or(std::vector<std::string>())) {
      const auto stopped = client().stop_pod(pod);
      EXPECT_TRUE(stopped) << stopped.error().message;
      const auto removed = client().remove_pod(pod);
      EXPECT_TRUE(removed) << removed.error().message;
    }
  }

 private:
  static inline std::unique_ptr<Node> node_;
  static inline std::unique_ptr<CriClient> client_;
};

inline std::vector<const char*> runtime_handlers() {
  const char* stock = std::getenv("WARD_TEST_STOCK");
  if (stock == nullptr || *stock != '1') return {"ward", "ward_as_runc"};
  // Where runtime_path is not honoured, the name of the stock shim can mean one of the two only.
  if (containerd_version() < kHonoursRuntimePath) return {"ward", "runc"};
  return {"ward", "ward_as_runc", "runc"};
}

// The handlers of Ward's that runtime_handlers() names.
inline std::vector<const char*> ward_handlers() {
  std::vector<const char*> handlers = runtime_handlers();
  std::erase_if(handlers, [](const std::string& name) { return name == "runc"; });
  return handlers;
}

// For what no option of the runtime can matter to.
inline std::vector<const char*> plain_handlers() {
  if (runtime_handlers().size() == ward_handlers().size()) return {"ward_plain"};
  return {"ward_plain", "runc"};
}

inline std::string handler_name(const testing::TestParamInfo<const char*>& info) {
  return info.param;
}

}  // namespace ward::test
