// SPDX-License-Identifier: Apache-2.0
#include "enforcer/api/ward_service.h"

#include <asio/post.hpp>

namespace ward::enforcer {
namespace {

template <typename Response>
void finish(grpc::ServerUnaryReactor* reactor, Response* out, Result<Response> result) {
  if (!result) return reactor->Finish({static_cast<grpc::StatusCode>(result.error().code), result.error().message});
  *out = std::move(*result);
  reactor->Finish(grpc::Status::OK);
}

// Operations that the composition root left empty.
grpc::ServerUnaryReactor* unimplemented(grpc::ServerUnaryReactor* reactor) {
  reactor->Finish({grpc::StatusCode::UNIMPLEMENTED, "this wardd does not serve that"});
  return reactor;
}

// Request and response stay valid until Finish.
template <typename Request, typename Response>
grpc::ServerUnaryReactor* answer(asio::io_context& core, grpc::CallbackServerContext* context, const Request* request,
                                 Response* response, const Operations::Call<Request, Response>& call) {
  auto* reactor = context->DefaultReactor();
  if (!call) return unimplemented(reactor);
  asio::post(core, [reactor, request, response, &call] { finish(reactor, response, call(*request)); });
  return reactor;
}

template <typename Request, typename Response>
grpc::ServerUnaryReactor* answer_later(asio::io_context& core, grpc::CallbackServerContext* context,
                                       const Request* request, Response* response,
                                       const Operations::LongCall<Request, Response>& call) {
  auto* reactor = context->DefaultReactor();
  if (!call) return unimplemented(reactor);
  asio::post(core, [reactor, request, response, &call] {
    call(*request, [reactor, response](Result<Response> result) { finish(reactor, response, std::move(result)); });
  });
  return reactor;
}

}  // namespace

WardService::WardService(asio::io_context& core, Operations operations, Journal& journal,
                         std::shared_ptr<OpenStreams> open)
    : core_(core), operations_(std::move(operations)), journal_(journal), open_(std::move(open)) {}

grpc::ServerUnaryReactor* WardService::GetStatus(Context* context, const v1::GetStatusRequest* request,
                                                 v1::NodeStatus* response) {
  return answer(core_, context, request, response, operations_.status);
}
grpc::ServerUnaryReactor* WardService::ListContainers(Context* context, const v1::ListContainersRequest* request,
                                                      v1::ListContainersResponse* response) {
  return answer(core_, context, request, response, operations_.containers);
}
grpc::ServerWriteReactor<v1::Event>* WardService::ListEvents(Context*, const v1::ListEventsRequest* request) {
  auto* stream = new EventStream(core_, journal_, open_, *request);  // deletes itself when gRPC is done with it
  asio::post(core_, [stream] { stream->begin(); });
  return stream;
}
grpc::ServerUnaryReactor* WardService::ListRecordings(Context* context, const v1::ListRecordingsRequest* request,
                                                      v1::ListRecordingsResponse* response) {
  return answer(core_, context, request, response, operations_.recordings);
}
grpc::ServerUnaryReactor* WardService::GetRecording(Context* context, const v1::GetRecordingRequest* request,
                                                    v1::Recording* response) {
  return answer(core_, context, request, response, operations_.recording);
}
grpc::ServerUnaryReactor* WardService::ForgetRecording(Context* context, const v1::ForgetRecordingRequest* request,
                                                       v1::ForgetRecordingResponse* response) {
  return answer_later(core_, context, request, response, operations_.forget);
}
grpc::ServerUnaryReactor* WardService::GenerateProfile(Context* context, const v1::GenerateProfileRequest* request,
                                                       v1::GenerateProfileResponse* response) {
  return answer(core_, context, request, response, operations_.generate);
}
grpc::ServerUnaryReactor* WardService::ListProfiles(Context* context, const v1::ListProfilesRequest* request,
                                                    v1::ListProfilesResponse* response) {
  return answer(core_, context, request, response, operations_.profiles);
}
grpc::ServerUnaryReactor* WardService::GetProfile(Context* context, const v1::GetProfileRequest* request,
                                                  v1::ProfileDocument* response) {
  return answer(core_, context, request, response, operations_.profile);
}
grpc::ServerUnaryReactor* WardService::ApplyProfile(Context* context, const v1::ApplyProfileRequest* request,
                                                    v1::ApplyProfileResponse* response) {
  return answer_later(core_, context, request, response, operations_.apply);
}
grpc::ServerUnaryReactor* WardService::ListQuarantine(Context* context, const v1::ListQuarantineRequest* request,
                                                      v1::ListContainersResponse* response) {
  return answer(core_, context, request, response, operations_.quarantine);
}
grpc::ServerUnaryReactor* WardService::ReleaseContainer(Context* context, const v1::ContainerRequest* request,
                                                        v1::ContainerResponse* response) {
  return answer_later(core_, context, request, response, operations_.release);
}
grpc::ServerUnaryReactor* WardService::KillContainer(Context* context, const v1::ContainerRequest* request,
                                                     v1::ContainerResponse* response) {
  return answer_later(core_, context, request, response, operations_.kill);
}

}  // namespace ward::enforcer
