// SPDX-License-Identifier: Apache-2.0
// The filters in force in one container: read back from the kernel where that can be done without
// harm, and what its effective spec says, held against each other. As text and as JSON.
#pragma once

#include <string>
#include <vector>

#include "cli/applied/filter_summary.h"
#include "cli/present/style.h"
#include "lib/json/json.h"
#include "lib/linux/loaded_filters.h"
#include "ward/v1/api.pb.h"

namespace ward::cli {

struct AppliedLayer {
  FilterSummary filter;
  Comparison with_spec;
};

struct Applied {
  ward::v1::Container container;
  bool from_kernel = false;
  std::string why_not_kernel;        // a sentence
  pid_t thread = 0;                  // of the process, that was asked; 0: none was
  std::vector<AppliedLayer> layers;  // of the kernel, the oldest first
  bool more_filters = false;         // than were read
  bool spec_found = false;
  bool spec_has_filter = false;
  std::string spec_file;
  std::string why_no_spec;  // a sentence
  FilterSummary spec;       // where it has one
  Agreement agreement = Agreement::kNotCompared;
  std::string said;  // one sentence: do they agree?
};

// Of what was read: fills in the rest. `programs`: what the spec's filter may be loaded as.
void judge(Applied& applied, const std::vector<SeccompProgram>& loaded,
           const std::vector<SeccompProgram>& programs);

std::string_view agreement_word(Agreement agreement);  // "identical", for programs
std::string applied_text(const Applied& applied, const Style& style);
nlohmann::ordered_json to_json(const Applied& applied);

}  // namespace ward::cli
