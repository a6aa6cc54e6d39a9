// SPDX-License-Identifier: Apache-2.0
// `ward evidence`: bundles that shims left and wardd sealed, read from their files. Needs no wardd.
#pragma once

#include <CLI/App.hpp>

#include "cli/session.h"

namespace ward::cli {

void add_evidence(CLI::App& app, Session& session, int& exit_code);

}  // namespace ward::cli
