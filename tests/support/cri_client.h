// SPDX-License-Identifier: Apache-2.0
// A client of the Container Runtime Interface, as a kubelet is one: gRPC on containerd's socket.
// Every call has a deadline; what the server refuses is an Error with the server's code and words.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cri/runtime.pb.h"
#include "lib/base/result.h"

namespace ward::test {

namespace cri = ::runtime::v1;

// Which of a session's streams a client wants. On a terminal everything comes from stdout.
struct Streams {
  bool in = false;
  bool terminal = false;
};

class CriClient {
 public:
  explicit CriClient(const std::filesystem::path& socket);
  ~CriClient();
  CriClient(const CriClient&) = delete;
  CriClient& operator=(const CriClient&) = delete;

  Result<cri::RuntimeStatus> status();
  Result<std::string> image_id(
      const std::string& image);  // empty: CRI does not know the image (yet)

  Result<std::string> run_pod(const cri::PodSandboxConfig& config,
                              const std::string& runtime_handler);
  Result<void> stop_pod(const std::string& pod);
  Result<void> remove_pod(const std::string& pod);
  Result<cri::PodSandboxStatus> pod_status(const std::string& pod);
  Result<std::vector<std::string>> pods();

  Result<std::string> create_container(const std::string& pod, const cri::ContainerConfig& config,
                                       const cri::PodSandboxConfig& pod_config);
  Result<void> start_container(const std::string& container);
  Result<void> stop_container(const std::string& container, std::chrono::seconds grace);
  Result<void> remove_container(const std::string& container);
  Result<cri::ContainerStatus> container_status(const std::string& container);
  Result<cri::ContainerStats> container_stats(const std::string& container);
  Result<void> update_resources(const std::string& container,
                                const cri::LinuxContainerResources& resources);
  Result<void> reopen_log(const std::string& container);

  Result<cri::ExecSyncResponse> exec_sync(const std::string& container,
                                          const std::vector<std::string>& command,
                                          std::chrono::seconds timeout = std::chrono::seconds(20));
  // Where the session is to be had, for a StreamClient.
  Result<std::string> exec_url(const std::string& container,
                               const std::vector<std::string>& command, const Streams& streams);
  Result<std::string> attach_url(const std::string& container, const Streams& streams);

 private:
  struct Stubs;
  std::unique_ptr<Stubs> stubs_;
};

}  // namespace ward::test
