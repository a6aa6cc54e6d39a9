// SPDX-License-Identifier: Apache-2.0
// Words of the command line on their way to wardd: its protobuf takes UTF-8 only, and would refuse
// the whole message with an error that names nothing.
#pragma once

#include <google/protobuf/message.h>

#include <optional>
#include <string>

namespace ward::cli {

// What to say of the first field that is no UTF-8; nothing where all are.
std::optional<std::string> why_not_text(const google::protobuf::Message& request);

}  // namespace ward::cli
