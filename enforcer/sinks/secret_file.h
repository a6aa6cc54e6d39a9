// SPDX-License-Identifier: Apache-2.0
// Files with secrets that wardd.yaml names: read anew whenever they are needed, so that a key may
// change without a restart.
#pragma once

#include <string>

#include "lib/base/result.h"

namespace ward::enforcer::sinks {

// Root's (or ours, where we are not root), and nobody else may read or write it. Looked at through
// the descriptor that is read.
Result<std::string> read_secret(const std::string& path);

Result<void> check_secret(const std::string& path);  // for a library that reads it itself

// For an HMAC key or a token: without the line break that editors put behind it.
Result<std::string> read_secret_line(const std::string& path);

std::string hmac_sha256_hex(const std::string& key, const std::string& text);

}  // namespace ward::enforcer::sinks
