// SPDX-License-Identifier: Apache-2.0
// The curve of discovery: how many calls of a workload were known after how much recorded time. As
// lines of a terminal, and as a picture.
#pragma once

#include <string>

#include "ward/v1/api.pb.h"

namespace ward::cli {

// A few lines of 72 columns, plain ASCII; empty where nothing was recorded.
std::string discovery_text(const ward::v1::Coverage& coverage);

// One self-contained SVG document, readable in light and in dark.
std::string discovery_svg(const std::string& workload, const ward::v1::Coverage& coverage);

}  // namespace ward::cli
