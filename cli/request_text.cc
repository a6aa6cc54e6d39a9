// SPDX-License-Identifier: Apache-2.0
#include "cli/request_text.h"

#include <google/protobuf/descriptor.h>

#include "lib/base/escape.h"
#include "lib/base/utf8.h"

namespace ward::cli {

std::optional<std::string> why_not_text(const google::protobuf::Message& request) {
  const auto& descriptor = *request.GetDescriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const auto& field = *descriptor.field(i);
    if (field.type() != google::protobuf::FieldDescriptor::TYPE_STRING || field.is_repeated())
      continue;
    const std::string value = request.GetReflection()->GetString(request, &field);
    if (!is_utf8(value))
      return "'" + escape(value, 80) + "' is not UTF-8, and no " + field.name() + " is called that";
  }
  return std::nullopt;
}

}  // namespace ward::cli
