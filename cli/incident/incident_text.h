// SPDX-License-Identifier: Apache-2.0
// Incidents and rulings for a terminal, escaped.
#pragma once

#include <string>
#include <vector>

#include "cli/incident/incident.h"
#include "cli/present/style.h"

namespace ward::cli {

std::string incident_table(const std::vector<Incident>& incidents, const Style& style);
std::string incident_text(const Incident& incident, const Style& style);
std::string judgement_text(const Judgement& judgement);

}  // namespace ward::cli
