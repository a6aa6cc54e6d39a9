// SPDX-License-Identifier: Apache-2.0
// A message as containerd's clients pack it.
#pragma once

#include <google/protobuf/message_lite.h>

#include <string>

#include "containerd/types.pb.h"

namespace ward::test {

inline containerd::Any any_of(const std::string& type,
                              const google::protobuf::MessageLite& message) {
  containerd::Any any;
  any.set_type_url(type);
  any.set_value(message.SerializeAsString());
  return any;
}

}  // namespace ward::test
