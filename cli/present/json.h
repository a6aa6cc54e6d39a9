// SPDX-License-Identifier: Apache-2.0
// Any API message as JSON: field names as in the proto file, every field present, 64-bit integers as numbers.
#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace ward::cli {

enum class JsonForm { kPretty, kLine };  // kLine: one line without a newline inside, for streams

std::string to_json(const google::protobuf::Message& message, JsonForm form = JsonForm::kPretty);

}  // namespace ward::cli
