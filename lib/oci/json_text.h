// SPDX-License-Identifier: Apache-2.0
// What is checked on JSON text before a tree is built of it (size, depth), and the reading of keys
// as Go does it. Used by the readers of this folder only; knows nothing of any JSON library.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace ward::oci {

// kResourceExhausted when larger than max_bytes, nested deeper than max_depth, or with more members
// than a tree that keeps their order can be built of in bounded time. Says nothing about syntax.
Result<void> check_json_bounds(std::string_view text, std::size_t max_bytes, int max_depth);

// encoding/json of Go, in which containerd and runc read these documents, matches keys without
// regard to case: "Seccomp" is taken for "seccomp", and so are spellings with U+017F and U+212A.
// Two keys with one folded form are one key there.
std::string fold_key(std::string_view key);

}  // namespace ward::oci
