// SPDX-License-Identifier: Apache-2.0
// The members of an OCI process object that Ward reads and rewrites: the same in config.json's
// `process` and in the document of an exec. Only the names of the JSON library's types appear here.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "lib/base/result.h"
#include "lib/oci/capabilities.h"

namespace ward::oci {

// Types of the members Ward reads, and no key that Go would take for one of them (see fold_key).
// After this the functions below cannot fail.
Result<void> check_process(const nlohmann::ordered_json& process);

// Refuses keys of `object` that Go takes for one of `names` although they are spelt otherwise.
Result<void> check_spelling(const nlohmann::ordered_json& object,
                            std::initializer_list<std::string_view> names);

std::optional<Capabilities> read_capabilities(const nlohmann::ordered_json& process);
void write_capabilities(nlohmann::ordered_json& process, const Capabilities& capabilities);
bool read_flag(const nlohmann::ordered_json& process, const char* key);  // absent: false

}  // namespace ward::oci
