// SPDX-License-Identifier: Apache-2.0
// Makes incidents of what wardd and the node's evidence say. The only part of cli/incident that
// asks or reads.
#pragma once

#include <grpcpp/support/status.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/incident/incident.h"
#include "cli/incident/page.h"
#include "cli/session.h"

namespace ward::cli {

inline constexpr std::uint32_t kMaxEventsRead = 20'000;  // the newest of the journal

// What one run of a verb has learned of the node; each thing is asked for once.
class Gathered {
 public:
  explicit Gathered(Session& session) : session_(session) {}

  // Reads the journal and the containers; the status is wardd's.
  grpc::Status ask();
  grpc::Status ask_containers();  // no more than these
  [[nodiscard]] const std::vector<ward::v1::Event>& events() const { return events_; }
  [[nodiscard]] const std::vector<ward::v1::Container>& containers() const { return containers_; }

  // The one whose id is this, or begins so.
  Result<ward::v1::Event> find_event(const std::string& id) const;
  Result<ward::v1::Container> find_container(const std::string& name) const;
  std::vector<ward::v1::Event> incidents() const;  // newest first

  // With its container as it is now; bundle, profile and what is related only in complete().
  Incident brief(const ward::v1::Event& event) const;
  Incident complete(const ward::v1::Event& event);

  // What this profile says about a call; the reason is for people where it says nothing.
  Result<Judgement> judge(const std::string& profile, const std::string& digest,
                          const profiles::AskedCall& call);

  Result<Overview> overview(std::size_t most);

 private:
  std::string recorded(const profiles::Profile& profile, const std::string& syscall);
  Result<const ward::v1::ProfileDocument*> document(const std::string& profile);

  Session& session_;
  std::vector<ward::v1::Event> events_;
  std::vector<ward::v1::Container> containers_;
  std::map<std::string, Result<ward::v1::ProfileDocument>> documents_;
  std::map<std::string, std::optional<ward::v1::Recording>> recordings_;  // absent: there is none
};

}  // namespace ward::cli
