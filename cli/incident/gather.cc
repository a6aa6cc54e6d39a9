// SPDX-License-Identifier: Apache-2.0
#include "cli/incident/gather.h"

#include <grpcpp/client_context.h>

#include <algorithm>

#include "cli/patience.h"
#include "cli/progress.h"
#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "lib/base/utf8.h"
#include "lib/linux/host_name.h"
#include "profiles/yaml/read_yaml.h"

namespace ward::cli {
namespace {

constexpr std::chrono::seconds kLongestSilence{10};

Error error_of(const grpc::Status& status) {
  return {static_cast<Code>(status.error_code()), status.error_message()};
}

// By more than its id, as wardd takes names (enforcer/node_link/container_name.h).
bool is_named(const ward::v1::Container& c, const std::string& name) {
  const std::string& kubernetes = c.kubernetes_namespace();
  if (name == c.containerd_namespace() + "/" + c.id()) return true;
  if (kubernetes.empty()) return false;
  const std::string in_pod = c.pod() + "/" + c.name();
  return name == kubernetes + "/" + c.id() || name == c.name() || name == in_pod ||
         name == kubernetes + "/" + c.name() || name == kubernetes + "/" + in_pod;
}

}  // namespace

grpc::Status Gathered::ask_containers() {
  grpc::ClientContext context;
  context.set_deadline(deadline());
  ward::v1::ListContainersResponse response;
  auto status = session_.api().ListContainers(&context, {}, &response);
  if (status.ok()) containers_.assign(response.containers().begin(), response.containers().end());
  return status;
}

grpc::Status Gathered::ask() {
  const Progress progress("asking wardd");
  if (auto status = ask_containers(); !status.ok()) return status;
  grpc::ClientContext context;
  Patience patience(context, kLongestSilence);
  ward::v1::ListEventsRequest request;
  request.set_limit(kMaxEventsRead);
  const auto reader = session_.api().ListEvents(&context, request);
  ward::v1::Event event;
  events_.clear();
  while (reader->Read(&event)) {
    patience.something_came();
    if (!event.syscall().empty() || event.kind() == "violation") events_.push_back(event);
  }
  grpc::Status ended = reader->Finish();
  if (patience.is_over()) return {grpc::StatusCode::DEADLINE_EXCEEDED, ""};
  return ended;
}

Result<ward::v1::Event> Gathered::find_event(const std::string& id) const {
  const ward::v1::Event* found = nullptr;
  std::size_t matches = 0;
  for (const ward::v1::Event& event : events_) {
    if (id.empty() || event.id().rfind(id, 0) != 0) continue;
    if (event.id() == id) return event;
    found = &event;
    ++matches;
  }
  if (matches == 1) return *found;
  if (matches > 1)
    return fail(Code::kInvalidArgument, "'" + escape(id, 80) + "' is the beginning of " +
                                            std::to_string(matches) + " events: write more of it");
  return fail(Code::kNotFound, "there is no event '" + escape(id, 80) + "' in the newest " +
                                   std::to_string(kMaxEventsRead) +
                                   " of the journal: `ward incident list` shows incidents");
}

Result<ward::v1::Container> Gathered::find_container(const std::string& name) const {
  // An id of one container is no name of another: a pod chooses its names.
  for (const bool by_id : {true, false}) {
    const ward::v1::Container* found = nullptr;
    for (const ward::v1::Container& container : containers_) {
      if (by_id ? container.id() != name : !is_named(container, name)) continue;
      if (found != nullptr)
        return fail(Code::kInvalidArgument,
                    "two containers are called '" + escape(name, 80) + "': write namespace/id");
      found = &container;
    }
    if (found != nullptr) return *found;
  }
  return fail(Code::kNotFound,
              "there is no container '" + escape(name, 80) + "': `ward ps` shows them");
}

std::vector<ward::v1::Event> Gathered::incidents() const {
  std::vector<ward::v1::Event> out;
  std::copy_if(events_.rbegin(), events_.rend(), std::back_inserter(out), is_incident);
  return out;
}

Incident Gathered::brief(const ward::v1::Event& event) const {
  Incident out;
  out.event = event;
  out.node = host_name();
  out.made_wall_ns = wall_ns();
  for (const ward::v1::Container& container : containers_)
    if (container.id() == event.container() &&
        container.containerd_namespace() == event.containerd_namespace())
      out.container = container;
  return out;
}

Incident Gathered::complete(const ward::v1::Event& event) {
  Incident out = brief(event);
  if (!event.evidence().empty()) {
    out.bundle = read_bundle(event.evidence());
  } else {
    out.bundle.notes.emplace_back("no evidence was taken of it");
  }
  out.related = group_related(events_, event);
  if (event.syscall().empty() || event.profile().empty()) {
    out.why_no_judgement = "It is no call that a rule of a profile could allow.";
    return out;
  }
  auto judged = judge(event.profile(), event.profile_digest(), asked_call(event));
  if (judged) {
    out.judgement = std::move(*judged);
  } else {
    out.why_no_judgement = judged.error().message;
  }
  return out;
}

Result<const ward::v1::ProfileDocument*> Gathered::document(const std::string& profile) {
  auto found = documents_.find(profile);
  if (found == documents_.end()) {
    grpc::ClientContext context;
    context.set_deadline(deadline());
    ward::v1::GetProfileRequest request;
    request.set_name(profile);
    ward::v1::ProfileDocument document;
    const auto status = session_.api().GetProfile(&context, request, &document);
    Result<ward::v1::ProfileDocument> result = std::move(document);
    if (!status.ok()) result = tl::unexpected<Error>(error_of(status));
    found = documents_.emplace(profile, std::move(result)).first;
  }
  if (!found->second) return tl::unexpected<Error>(found->second.error());
  return &*found->second;
}

Result<Judgement> Gathered::judge(const std::string& profile, const std::string& digest,
                                  const profiles::AskedCall& call) {
  const auto text = document(profile);
  if (!text) return tl::unexpected<Error>(text.error());
  const ward::v1::ProfileDocument& document = **text;
  const std::string& file = document.summary().file();
  auto read = profiles::read_profile(document.yaml(), file);
  if (!read) return tl::unexpected<Error>(read.error());
  Judgement out;
  out.profile = std::move(*read);
  out.file = file;
  out.same_version = digest.empty() || digest == document.summary().digest();
  out.recorded = recorded(out.profile, call.syscall);
  out.ruling =
      profiles::rule_on(out.profile, profiles::profile_places(document.yaml()), file, call);
  return out;
}

// A recording may be forgotten, or never have been on this node: then there is nothing to say.
std::string Gathered::recorded(const profiles::Profile& profile, const std::string& syscall) {
  const auto workload = profile.provenance.find("workload");
  if (workload == profile.provenance.end() || !is_utf8(workload->second)) return "";
  auto found = recordings_.find(workload->second);
  if (found == recordings_.end()) {
    grpc::ClientContext context;
    context.set_deadline(deadline());
    ward::v1::GetRecordingRequest request;
    request.set_workload(workload->second);
    ward::v1::Recording recording;
    const bool is_there = session_.api().GetRecording(&context, request, &recording).ok();
    found = recordings_
                .emplace(workload->second,
                         is_there ? std::optional(std::move(recording)) : std::nullopt)
                .first;
  }
  return found->second ? recorded_sentence(*found->second, syscall) : "";
}

Result<Overview> Gathered::overview(std::size_t most) {
  Overview out;
  out.node = host_name();
  out.made_wall_ns = wall_ns();
  grpc::ClientContext context;
  context.set_deadline(deadline());
  if (const auto status = session_.api().GetStatus(&context, {}, &out.status); !status.ok())
    return tl::unexpected<Error>(error_of(status));
  grpc::ClientContext second;
  second.set_deadline(deadline());
  ward::v1::ListRecordingsResponse recordings;
  if (const auto status = session_.api().ListRecordings(&second, {}, &recordings); !status.ok())
    return tl::unexpected<Error>(error_of(status));
  out.recordings.assign(recordings.recordings().begin(), recordings.recordings().end());
  const auto all = incidents();
  out.incidents_in_all = all.size();
  for (const ward::v1::Event& event : all)
    if (out.incidents.size() < most) out.incidents.push_back(brief(event));
  return out;
}

}  // namespace ward::cli
