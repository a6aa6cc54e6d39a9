// SPDX-License-Identifier: Apache-2.0
// What the API can ask of wardd. Each call runs on the core loop and answers there, at once or
// later; the API itself knows nothing of stores, shims and recorders. Filled by the composition
// root.
#pragma once

#include <functional>
#include <string>

#include "enforcer/journal/journal.h"
#include "enforcer/node_link/container_table.h"
#include "lib/base/result.h"
#include "ward/v1/api.pb.h"

namespace ward::enforcer {

struct Operations {
  template <typename Request, typename Response>
  using Call = std::function<Result<Response>(const Request&)>;
  template <typename Request, typename Response>
  using LongCall = std::function<void(const Request&, std::function<void(Result<Response>)>)>;

  Call<v1::GetStatusRequest, v1::NodeStatus> status;
  Call<v1::ListContainersRequest, v1::ListContainersResponse> containers;
  Call<v1::ListQuarantineRequest, v1::ListContainersResponse> quarantine;
  Call<v1::ListRecordingsRequest, v1::ListRecordingsResponse> recordings;
  Call<v1::GetRecordingRequest, v1::Recording> recording;
  LongCall<v1::ForgetRecordingRequest, v1::ForgetRecordingResponse> forget;
  Call<v1::GenerateProfileRequest, v1::GenerateProfileResponse> generate;
  Call<v1::ProposeProfileRequest, v1::ProposeProfileResponse> propose;
  Call<v1::SimulateProfileRequest, v1::SimulateProfileResponse> simulate;
  LongCall<v1::RecordRequest, v1::RecordResponse> record;
  LongCall<v1::EndRecordRequest, v1::RecordResponse> end_record;
  Call<v1::ListProfilesRequest, v1::ListProfilesResponse> profiles;
  Call<v1::GetProfileRequest, v1::ProfileDocument> profile;
  LongCall<v1::ApplyProfileRequest, v1::ApplyProfileResponse> apply;
  LongCall<v1::ContainerRequest, v1::ContainerResponse> quarantine_one;
  LongCall<v1::ContainerRequest, v1::ContainerResponse> release;
  LongCall<v1::ContainerRequest, v1::ContainerResponse> kill;
  Call<v1::TestPolicyRequest, v1::PolicyVerdict> test_policy;
  LongCall<v1::SetContainerModeRequest, v1::ContainerResponse> set_mode;
  Call<v1::ListAmendmentsRequest, v1::ListAmendmentsResponse> amendments;
  Call<v1::DropAmendmentsRequest, v1::DropAmendmentsResponse> drop_amendments;

  // The container whose events a person means by a name; it may run or not.
  struct EventsOf {
    std::string containerd_namespace;  // empty: of any
    std::string id;
  };
  std::function<Result<EventsOf>(const std::string& name)> events_of;
};

}  // namespace ward::enforcer
