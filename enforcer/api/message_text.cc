// SPDX-License-Identifier: Apache-2.0
#include "enforcer/api/message_text.h"

#include <google/protobuf/descriptor.h>

#include <string>

#include "lib/base/utf8.h"

namespace ward::enforcer {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void make_text(Message& message, const FieldDescriptor& field) {
  const auto& r = *message.GetReflection();
  const bool text = field.type() == FieldDescriptor::TYPE_STRING;
  const bool within = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  if (!field.is_repeated()) {
    if (within && r.HasField(message, &field))
      enforcer::make_text(*r.MutableMessage(&message, &field));
    if (!text) return;
    const std::string value = r.GetString(message, &field);
    if (!is_utf8(value)) r.SetString(&message, &field, to_utf8(value));
    return;
  }
  for (int i = 0; (text || within) && i < r.FieldSize(message, &field); ++i) {
    if (within) {
      enforcer::make_text(*r.MutableRepeatedMessage(&message, &field, i));
    } else if (const std::string value = r.GetRepeatedString(message, &field, i); !is_utf8(value)) {
      r.SetRepeatedString(&message, &field, i, to_utf8(value));
    }
  }
}

}  // namespace

void make_text(Message& message) {
  const auto& descriptor = *message.GetDescriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) make_text(message, *descriptor.field(i));
}

}  // namespace ward::enforcer
