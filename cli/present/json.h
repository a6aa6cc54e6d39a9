// SPDX-License-Identifier: Apache-2.0
// What `ward --output json` prints; docs/json.md is its contract. An API message is written as
// protobuf's JSON mapping says, with the names of the proto file and every field present: 64-bit
// integers are strings, because jq and JavaScript round them. Beside a time in nanoseconds stands
// the same as RFC 3339 ("wall_ns" and "time"), empty where it is 0.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

namespace ward::cli {

enum class JsonForm { kPretty, kLine };  // kLine: one line without a newline inside, for streams

// "ward.dev/v1/Event": the key `schema` of every document. The number changes when a field goes or
// means something else.
std::string schema(std::string_view document);

// With `schema`, and a newline at its end.
std::string to_json(const google::protobuf::Message& message, JsonForm form = JsonForm::kPretty);

}  // namespace ward::cli
