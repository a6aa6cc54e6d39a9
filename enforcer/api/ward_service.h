// SPDX-License-Identifier: Apache-2.0
// ward.v1.Ward as gRPC's callback service: every method posts to the core loop and answers from there.
#pragma once

#include <grpcpp/grpcpp.h>

#include <asio/io_context.hpp>
#include <memory>

#include "enforcer/api/event_stream.h"
#include "enforcer/api/operations.h"
#include "ward/v1/api.grpc.pb.h"

namespace ward::enforcer {

class WardService final : public v1::Ward::CallbackService {
 public:
  WardService(asio::io_context& core, Operations operations, Journal& journal, std::shared_ptr<OpenStreams> open);

  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;
  Unary* GetStatus(Context*, const v1::GetStatusRequest*, v1::NodeStatus*) override;
  Unary* ListContainers(Context*, const v1::ListContainersRequest*, v1::ListContainersResponse*) override;
  grpc::ServerWriteReactor<v1::Event>* ListEvents(Context*, const v1::ListEventsRequest*) override;
  Unary* ListRecordings(Context*, const v1::ListRecordingsRequest*, v1::ListRecordingsResponse*) override;
  Unary* GetRecording(Context*, const v1::GetRecordingRequest*, v1::Recording*) override;
  Unary* ForgetRecording(Context*, const v1::ForgetRecordingRequest*, v1::ForgetRecordingResponse*) override;
  Unary* GenerateProfile(Context*, const v1::GenerateProfileRequest*, v1::GenerateProfileResponse*) override;
  Unary* ListProfiles(Context*, const v1::ListProfilesRequest*, v1::ListProfilesResponse*) override;
  Unary* GetProfile(Context*, const v1::GetProfileRequest*, v1::ProfileDocument*) override;
  Unary* ApplyProfile(Context*, const v1::ApplyProfileRequest*, v1::ApplyProfileResponse*) override;
  Unary* ListQuarantine(Context*, const v1::ListQuarantineRequest*, v1::ListContainersResponse*) override;
  Unary* ReleaseContainer(Context*, const v1::ContainerRequest*, v1::ContainerResponse*) override;
  Unary* KillContainer(Context*, const v1::ContainerRequest*, v1::ContainerResponse*) override;

 private:
  asio::io_context& core_;
  const Operations operations_;
  Journal& journal_;
  std::shared_ptr<OpenStreams> open_;
};

}  // namespace ward::enforcer
