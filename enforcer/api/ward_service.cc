// SPDX-License-Identifier: Apache-2.0
#include "enforcer/api/ward_service.h"

#include <asio/post.hpp>

#include "enforcer/api/message_text.h"
#include "ward/v1/api.grpc.pb.h"

namespace ward::enforcer {
namespace {

template <typename Response>
void finish(grpc::ServerUnaryReactor* reactor, Response* out, Result<Response> result) {
  if (!result)
    return reactor->Finish(
        {static_cast<grpc::StatusCode>(result.error().code), result.error().message});
  *out = std::move(*result);
  make_text(*out);
  reactor->Finish(grpc::Status::OK);
}

// An operation as gRPC calls it. Request and response stay valid until Finish.
template <typename Request, typename Response>
void perform(const Operations::Call<Request, Response>& call, grpc::ServerUnaryReactor* reactor,
             const Request* request, Response* response) {
  finish(reactor, response, call(*request));
}

template <typename Request, typename Response>
void perform(const Operations::LongCall<Request, Response>& call, grpc::ServerUnaryReactor* reactor,
             const Request* request, Response* response) {
  call(*request, [reactor, response](Result<Response> result) {
    finish(reactor, response, std::move(result));
  });
}

using Context = grpc::CallbackServerContext;
using Unary = grpc::ServerUnaryReactor;

class WardService final : public v1::Ward::CallbackService {
 public:
  WardService(asio::io_context& core, Operations operations, Journal& journal,
              std::shared_ptr<OpenStreams> open)
      : core_(core),
        operations_(std::move(operations)),
        journal_(journal),
        open_(std::move(open)) {}

  Unary* GetStatus(Context* context, const v1::GetStatusRequest* in, v1::NodeStatus* out) override {
    return answer(context, operations_.status, in, out);
  }
  Unary* ListContainers(Context* context, const v1::ListContainersRequest* in,
                        v1::ListContainersResponse* out) override {
    return answer(context, operations_.containers, in, out);
  }
  grpc::ServerWriteReactor<v1::Event>* ListEvents(Context* context,
                                                  const v1::ListEventsRequest* request) override {
    // Deletes itself when gRPC is done with it.
    auto* stream = new EventStream(core_, journal_, open_, context, *request);
    asio::post(core_, [this, stream, name = request->container()] {
      const bool by_id = name.empty() || !operations_.events_of;
      stream->begin(by_id ? Operations::EventsOf{"", name} : operations_.events_of(name));
    });
    return stream;
  }
  Unary* ListRecordings(Context* context, const v1::ListRecordingsRequest* in,
                        v1::ListRecordingsResponse* out) override {
    return answer(context, operations_.recordings, in, out);
  }
  Unary* GetRecording(Context* context, const v1::GetRecordingRequest* in,
                      v1::Recording* out) override {
    return answer(context, operations_.recording, in, out);
  }
  Unary* ForgetRecording(Context* context, const v1::ForgetRecordingRequest* in,
                         v1::ForgetRecordingResponse* out) override {
    return answer(context, operations_.forget, in, out);
  }
  Unary* GenerateProfile(Context* context, const v1::GenerateProfileRequest* in,
                         v1::GenerateProfileResponse* out) override {
    return answer(context, operations_.generate, in, out);
  }
  Unary* ProposeProfile(Context* context, const v1::ProposeProfileRequest* in,
                        v1::ProposeProfileResponse* out) override {
    return answer(context, operations_.propose, in, out);
  }
  Unary* SimulateProfile(Context* context, const v1::SimulateProfileRequest* in,
                         v1::SimulateProfileResponse* out) override {
    return answer(context, operations_.simulate, in, out);
  }
  Unary* Record(Context* context, const v1::RecordRequest* in, v1::RecordResponse* out) override {
    return answer(context, operations_.record, in, out);
  }
  Unary* EndRecord(Context* context, const v1::EndRecordRequest* in,
                   v1::RecordResponse* out) override {
    return answer(context, operations_.end_record, in, out);
  }
  Unary* ListProfiles(Context* context, const v1::ListProfilesRequest* in,
                      v1::ListProfilesResponse* out) override {
    return answer(context, operations_.profiles, in, out);
  }
  Unary* GetProfile(Context* context, const v1::GetProfileRequest* in,
                    v1::ProfileDocument* out) override {
    return answer(context, operations_.profile, in, out);
  }
  Unary* ApplyProfile(Context* context, const v1::ApplyProfileRequest* in,
                      v1::ApplyProfileResponse* out) override {
    return answer(context, operations_.apply, in, out);
  }
  Unary* ListQuarantine(Context* context, const v1::ListQuarantineRequest* in,
                        v1::ListContainersResponse* out) override {
    return answer(context, operations_.quarantine, in, out);
  }
  Unary* QuarantineContainer(Context* context, const v1::ContainerRequest* in,
                             v1::ContainerResponse* out) override {
    return answer(context, operations_.quarantine_one, in, out);
  }
  Unary* ReleaseContainer(Context* context, const v1::ContainerRequest* in,
                          v1::ContainerResponse* out) override {
    return answer(context, operations_.release, in, out);
  }
  Unary* KillContainer(Context* context, const v1::ContainerRequest* in,
                       v1::ContainerResponse* out) override {
    return answer(context, operations_.kill, in, out);
  }
  Unary* TestPolicy(Context* context, const v1::TestPolicyRequest* in,
                    v1::PolicyVerdict* out) override {
    return answer(context, operations_.test_policy, in, out);
  }
  Unary* SetContainerMode(Context* context, const v1::SetContainerModeRequest* in,
                          v1::ContainerResponse* out) override {
    return answer(context, operations_.set_mode, in, out);
  }
  Unary* ListAmendments(Context* context, const v1::ListAmendmentsRequest* in,
                        v1::ListAmendmentsResponse* out) override {
    return answer(context, operations_.amendments, in, out);
  }
  Unary* DropAmendments(Context* context, const v1::DropAmendmentsRequest* in,
                        v1::DropAmendmentsResponse* out) override {
    return answer(context, operations_.drop_amendments, in, out);
  }

 private:
  template <typename Operation, typename Request, typename Response>
  Unary* answer(Context* context, const Operation& operation, const Request* request,
                Response* response) {
    auto* reactor = context->DefaultReactor();
    if (!operation) {  // the composition root left it empty
      reactor->Finish({grpc::StatusCode::UNIMPLEMENTED, "this wardd does not serve that"});
    } else {
      asio::post(core_, [reactor, request, response, &operation] {
        perform(operation, reactor, request, response);
      });
    }
    return reactor;
  }

  asio::io_context& core_;
  const Operations operations_;
  Journal& journal_;
  std::shared_ptr<OpenStreams> open_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_ward_service(asio::io_context& core, Operations operations,
                                                 Journal& journal,
                                                 std::shared_ptr<OpenStreams> open) {
  return std::make_unique<WardService>(core, std::move(operations), journal, std::move(open));
}

}  // namespace ward::enforcer
