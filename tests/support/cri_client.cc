// SPDX-License-Identifier: Apache-2.0
#include "tests/support/cri_client.h"

#include <grpcpp/grpcpp.h>

#include "cri/runtime.grpc.pb.h"

namespace ward::test {
namespace {

constexpr std::chrono::seconds kDeadline{40};

template <typename Response, typename Stub, typename Request>
Result<Response> call(Stub& stub,
                      grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                      const Request& request) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  context.set_wait_for_ready(true);  // containerd may just be starting again
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  if (!status.ok()) return fail(static_cast<Code>(status.error_code()), status.error_message());
  return response;
}

template <typename Response>
Result<void> without_answer(const Result<Response>& result) {
  if (!result) return tl::unexpected(result.error());
  return {};
}

cri::PodRequest pod_request(const std::string& pod) {
  cri::PodRequest request;
  request.set_pod_sandbox_id(pod);
  return request;
}

cri::ContainerRequest container_request(const std::string& container) {
  cri::ContainerRequest request;
  request.set_container_id(container);
  return request;
}

// What an exec and an attach have in common.
template <typename Request>
Request stream_request(const std::string& container, const Streams& streams) {
  Request request;
  request.set_container_id(container);
  request.set_stdin(streams.in);
  request.set_stdout(true);
  request.set_stderr(!streams.terminal);
  request.set_tty(streams.terminal);
  return request;
}

}  // namespace

struct CriClient::Stubs {
  using Runtime = cri::RuntimeService::Stub;
  std::shared_ptr<grpc::Channel> channel;
  Runtime runtime{channel};
  cri::ImageService::Stub images{channel};
};

CriClient::CriClient(const std::filesystem::path& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  // A proxy of the environment is not asked for a local socket.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  stubs_ = std::make_unique<Stubs>(Stubs{grpc::CreateCustomChannel(
      "unix:" + socket.string(), grpc::InsecureChannelCredentials(), arguments)});
}

CriClient::~CriClient() = default;

Result<cri::RuntimeStatus> CriClient::status() {
  return call(stubs_->runtime, &Stubs::Runtime::Status, cri::StatusRequest())
      .map([](const auto& r) { return r.status(); });
}

Result<std::string> CriClient::image_id(const std::string& image) {
  cri::ImageStatusRequest request;
  request.mutable_image()->set_image(image);
  return call(stubs_->images, &cri::ImageService::Stub::ImageStatus, request)
      .map([](const auto& r) { return r.image().id(); });
}

Result<std::string> CriClient::run_pod(const cri::PodSandboxConfig& config,
                                       const std::string& runtime_handler) {
  cri::RunPodSandboxRequest request;
  *request.mutable_config() = config;
  request.set_runtime_handler(runtime_handler);
  return call(stubs_->runtime, &Stubs::Runtime::RunPodSandbox, request).map([](const auto& r) {
    return r.pod_sandbox_id();
  });
}

Result<void> CriClient::stop_pod(const std::string& pod) {
  return without_answer(call(stubs_->runtime, &Stubs::Runtime::StopPodSandbox, pod_request(pod)));
}

Result<void> CriClient::remove_pod(const std::string& pod) {
  return without_answer(call(stubs_->runtime, &Stubs::Runtime::RemovePodSandbox, pod_request(pod)));
}

Result<cri::PodSandboxStatus> CriClient::pod_status(const std::string& pod) {
  return call(stubs_->runtime, &Stubs::Runtime::PodSandboxStatus, pod_request(pod))
      .map([](const auto& r) { return r.status(); });
}

Result<std::vector<std::string>> CriClient::pods() {
  return call(stubs_->runtime, &Stubs::Runtime::ListPodSandbox, cri::Nothing())
      .map([](const auto& r) {
        std::vector<std::string> ids;
        for (const auto& pod : r.items()) ids.push_back(pod.id());
        return ids;
      });
}

Result<std::string> CriClient::create_container(const std::string& pod,
                                                const cri::ContainerConfig& config,
                                                const cri::PodSandboxConfig& pod_config) {
  cri::CreateContainerRequest request;
  request.set_pod_sandbox_id(pod);
  *request.mutable_config() = config;
  *request.mutable_sandbox_config() = pod_config;
  return call(stubs_->runtime, &Stubs::Runtime::CreateContainer, request).map([](const auto& r) {
    return r.container_id();
  });
}

Result<void> CriClient::start_container(const std::string& container) {
  return without_answer(
      call(stubs_->runtime, &Stubs::Runtime::StartContainer, container_request(container)));
}

Result<void> CriClient::stop_container(const std::string& container, std::chrono::seconds grace) {
  cri::StopContainerRequest request;
  request.set_container_id(container);
  request.set_timeout(grace.count());
  return without_answer(call(stubs_->runtime, &Stubs::Runtime::StopContainer, request));
}

Result<void> CriClient::remove_container(const std::string& container) {
  return without_answer(
      call(stubs_->runtime, &Stubs::Runtime::RemoveContainer, container_request(container)));
}

Result<cri::ContainerStatus> CriClient::container_status(const std::string& container) {
  return call(stubs_->runtime, &Stubs::Runtime::ContainerStatus, container_request(container))
      .map([](const auto& r) { return r.status(); });
}

Result<cri::ContainerStats> CriClient::container_stats(const std::string& container) {
  return call(stubs_->runtime, &Stubs::Runtime::ContainerStats, container_request(container))
      .map([](const auto& r) { return r.stats(); });
}

Result<void> CriClient::update_resources(const std::string& container,
                                         const cri::LinuxContainerResources& resources) {
  cri::UpdateContainerResourcesRequest request;
  request.set_container_id(container);
  *request.mutable_linux() = resources;
  return without_answer(call(stubs_->runtime, &Stubs::Runtime::UpdateContainerResources, request));
}

Result<void> CriClient::reopen_log(const std::string& container) {
  return without_answer(
      call(stubs_->runtime, &Stubs::Runtime::ReopenContainerLog, container_request(container)));
}

Result<cri::ExecSyncResponse> CriClient::exec_sync(const std::string& container,
                                                   const std::vector<std::string>& command,
                                                   std::chrono::seconds timeout) {
  cri::ExecSyncRequest request;
  request.set_container_id(container);
  for (const std::string& word : command) request.add_cmd(word);
  request.set_timeout(timeout.count());
  return call(stubs_->runtime, &Stubs::Runtime::ExecSync, request);
}

Result<std::string> CriClient::exec_url(const std::string& container,
                                        const std::vector<std::string>& command,
                                        const Streams& streams) {
  auto request = stream_request<cri::ExecRequest>(container, streams);
  for (const std::string& word : command) request.add_cmd(word);
  return call(stubs_->runtime, &Stubs::Runtime::Exec, request).map([](const auto& r) {
    return r.url();
  });
}

Result<std::string> CriClient::attach_url(const std::string& container, const Streams& streams) {
  const auto request = stream_request<cri::AttachRequest>(container, streams);
  return call(stubs_->runtime, &Stubs::Runtime::Attach, request).map([](const auto& r) {
    return r.url();
  });
}

}  // namespace ward::test
