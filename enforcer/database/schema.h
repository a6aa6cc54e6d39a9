// SPDX-License-Identifier: Apache-2.0
// The tables of <state>/ward.db, made or brought up to date at open. A newer wardd's file is
// refused, not guessed at.
#pragma once

#include "enforcer/database/connection.h"

namespace ward::enforcer {

Result<void> apply_schema(Connection& connection);

}  // namespace ward::enforcer
