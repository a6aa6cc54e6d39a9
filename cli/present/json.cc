// SPDX-License-Identifier: Apache-2.0
#include "cli/present/json.h"

#include <google/protobuf/descriptor.h>

#include <cmath>

#include "cli/present/json_text.h"
#include "lib/base/rfc3339.h"
#include "lib/json/json.h"

namespace ward::cli {
namespace {

using Json = nlohmann::ordered_json;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

Json object_of(const Message& message);

// JSON has no word for these; the mapping writes them as text.
Json number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

// index < 0: a singular field.
Json value_of(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& r = *message.GetReflection();
  const bool repeated = index >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return repeated ? r.GetRepeatedInt32(message, &field, index) : r.GetInt32(message, &field);
    case FieldDescriptor::CPPTYPE_INT64:
      return std::to_string(repeated ? r.GetRepeatedInt64(message, &field, index)
                                     : r.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return repeated ? r.GetRepeatedUInt32(message, &field, index) : r.GetUInt32(message, &field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return std::to_string(repeated ? r.GetRepeatedUInt64(message, &field, index)
                                     : r.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return number(repeated ? r.GetRepeatedDouble(message, &field, index)
                             : r.GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return number(repeated ? r.GetRepeatedFloat(message, &field, index)
                             : r.GetFloat(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return repeated ? r.GetRepeatedBool(message, &field, index) : r.GetBool(message, &field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return repeated ? r.GetRepeatedEnum(message, &field, index)->name()
                      : r.GetEnum(message, &field)->name();
    case FieldDescriptor::CPPTYPE_STRING:
      return repeated ? r.GetRepeatedString(message, &field, index) : r.GetString(message, &field);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return object_of(repeated ? r.GetRepeatedMessage(message, &field, index)
                                : r.GetMessage(message, &field));
  }
  return nullptr;
}

// Keys are text in JSON, whatever they are in the proto file.
Json map_of(const Message& message, const FieldDescriptor& field) {
  Json object = Json::object();
  const FieldDescriptor& key = *field.message_type()->map_key();
  for (int k = 0; k < message.GetReflection()->FieldSize(message, &field); ++k) {
    const Message& entry = message.GetReflection()->GetRepeatedMessage(message, &field, k);
    const Json name = value_of(entry, key, -1);
    object[name.is_string() ? name.get<std::string>() : name.dump()] =
        value_of(entry, *field.message_type()->map_value(), -1);
  }
  return object;
}

Json list_of(const Message& message, const FieldDescriptor& field) {
  Json list = Json::array();
  for (int k = 0; k < message.GetReflection()->FieldSize(message, &field); ++k) {
    list.push_back(value_of(message, field, k));
  }
  return list;
}

// "started_wall_ns" has its time as "started_time".
void add_time(Json& object, const std::string& name, std::int64_t wall_ns) {
  constexpr std::string_view kSuffix = "wall_ns";
  if (name.size() < kSuffix.size() ||
      name.compare(name.size() - kSuffix.size(), kSuffix.size(), kSuffix) != 0)
    return;
  object[name.substr(0, name.size() - kSuffix.size()) + "time"] =
      wall_ns == 0 ? "" : format_rfc3339(wall_ns);
}

void add_fields(const Message& message, Json& object) {
  const auto& descriptor = *message.GetDescriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor& field = *descriptor.field(i);
    object[field.name()] = field.is_map()        ? map_of(message, field)
                           : field.is_repeated() ? list_of(message, field)
                                                 : value_of(message, field, -1);
    if (!field.is_repeated() && field.cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
      add_time(object, field.name(), message.GetReflection()->GetInt64(message, &field));
    }
  }
}

Json object_of(const Message& message) {
  Json object = Json::object();
  add_fields(message, object);
  return object;
}

}  // namespace

std::string schema(std::string_view document) { return "ward.dev/v1/" + std::string(document); }

std::string to_json(const Message& message, JsonForm form) {
  Json object = {{"schema", schema(message.GetDescriptor()->name())}};
  add_fields(message, object);
  return json_text(object, form);
}

// Strings may hold bytes of a container: what is not UTF-8 is replaced, never an exception, and
// what is not ASCII is written as \uXXXX, because some terminals obey more than ESC.
std::string json_text(const Json& document, JsonForm form) {
  return document.dump(form == JsonForm::kPretty ? 2 : -1, ' ', true,
                       Json::error_handler_t::replace) +
         "\n";
}

}  // namespace ward::cli
