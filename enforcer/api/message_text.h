// SPDX-License-Identifier: Apache-2.0
// Text of others on its way to a client: names of files, words of errors. A reader of protobuf
// refuses a whole message for one byte that is no UTF-8.
#pragma once

#include <google/protobuf/message.h>

namespace ward::enforcer {

// Every string in it becomes UTF-8 (to_utf8()), also in the messages within.
void make_text(google::protobuf::Message& message);

}  // namespace ward::enforcer
