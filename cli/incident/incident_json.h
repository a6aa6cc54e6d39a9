// SPDX-License-Identifier: Apache-2.0
// Incidents and rulings as `ward -o json` prints them; docs/json.md is the contract. Text is as the
// container chose it, as in all JSON of `ward`.
#pragma once

#include "lib/json/json.h"

#include "cli/incident/incident.h"

namespace ward::cli {

nlohmann::ordered_json to_json(const Incident& incident);
nlohmann::ordered_json summary_json(const Incident& incident);
nlohmann::ordered_json to_json(const Judgement& judgement);  // a Ruling

}  // namespace ward::cli
