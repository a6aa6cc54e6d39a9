// SPDX-License-Identifier: Apache-2.0
// An incident as one HTML file that needs nothing beside it, and the pages of `ward view` around
// it. No script, no request, every word escaped (lib/html). Without the raw JSON at its end a page
// has 300 KB at most, whatever a container did: each list is cut, and says so.
#pragma once

#include <string>
#include <vector>

#include "cli/incident/incident.h"
#include "ward/v1/api.pb.h"

namespace ward::cli {

inline constexpr std::size_t kMaxPageBytes = 300'000;   // without the raw JSON
inline constexpr std::size_t kMaxRawBytes = 1U << 20U;  // of the evidence; the rest is in the file

std::string incident_page(const Incident& incident);

// Of a page beside the others: "incident-ID.html".
std::string page_name(const ward::v1::Event& event);

struct Overview {
  std::vector<Incident> incidents;  // newest first
  std::size_t incidents_in_all = 0;
  std::vector<ward::v1::RecordingSummary> recordings;
  ward::v1::NodeStatus status;
  std::string node;
  std::int64_t made_wall_ns = 0;
};

std::string overview_page(const Overview& overview);

}  // namespace ward::cli
