// SPDX-License-Identifier: Apache-2.0
#include "lib/json/json.h"

#include "cli/incident/evidence.h"

namespace ward::cli {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxString = 1024;
constexpr std::size_t kMaxPackageName = 64;

const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

// Texts, and numbers and booleans as text: what a field holds may grow a type, and is only shown.
std::string text_of(const Json& value) {
  std::string out;
  if (value.is_string()) {
    out = value.get_ref<const std::string&>();
  } else if (value.is_number() || value.is_boolean()) {
    out = value.dump();
  }
  if (out.size() > kMaxString) out = out.substr(0, kMaxString) + "...";
  return out;
}

std::string text(const Json& object, const char* key) {
  const Json* value = member(object, key);
  return value == nullptr ? "" : text_of(*value);
}

std::int64_t number(const Json& object, const char* key) {
  const Json* value = member(object, key);
  return value != nullptr && value->is_number_integer() ? value->get<std::int64_t>() : 0;
}

std::uint64_t count(const Json& object, const char* key) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(number(object, key), 0));
}

bool flag(const Json& object, const char* key, bool otherwise = false) {
  const Json* value = member(object, key);
  return value != nullptr && value->is_boolean() ? value->get<bool>() : otherwise;
}

template <typename Row, typename Read>
void read_list(const Json& object, const char* key, std::vector<Row>& out, Read read) {
  const Json* list = member(object, key);
  if (list == nullptr || !list->is_array()) return;
  for (const Json& item : *list) {
    if (out.size() == kMaxRows) return;
    out.push_back(read(item));
  }
}

SeenProcess read_process(const Json& json) {
  SeenProcess out;
  out.pid = number(json, "pid");
  out.parent = number(json, "parent");
  out.state = text(json, "state");
  out.comm = text(json, "comm");
  out.exe = text(json, "exe");
  out.gone = flag(json, "gone");
  out.capabilities = text(json, "capabilities_effective");
  if (const Json* uid = member(json, "uid"); uid != nullptr && uid->is_number_integer())
    out.uid = uid->get<std::int64_t>();
  read_list(json, "arguments", out.arguments, text_of);
  return out;
}

CallArgument read_argument(const Json& json) {
  CallArgument out{text(json, "raw"), text(json, "text"), {}, flag(json, "string_truncated")};
  if (const Json* value = member(json, "string"); value != nullptr && value->is_string())
    out.string = text_of(*value);
  return out;
}

void read_counters(const Json& json, std::vector<NamedValue>& out, const std::string& above,
                   int depth) {
  if (!json.is_object()) return;
  for (const auto& [key, value] : json.items()) {
    if (out.size() == kMaxRows) return;
    const std::string name = above + key.substr(0, 100);
    if (value.is_object() && depth < 4) {
      read_counters(value, out, name + ".", depth + 1);
    } else {
      out.emplace_back(name, text_of(value));
    }
  }
}

void read_taken(const Json& json, Evidence& out) {
  if (const Json* violation = member(json, "violation")) {
    out.image = text(*violation, "image");
    out.syscall = text(*violation, "syscall");
    out.answered_ns = number(*violation, "answered_ns");
    out.contained_ns = number(*violation, "contained_ns");
  }
  out.cgroup = text(json, "cgroup");
  out.redacted = flag(json, "values_redacted", true);
  out.took_ns = number(json, "took_ns");
  read_list(json, "offender_and_ancestors", out.chain, read_process);
  read_list(json, "processes", out.processes, read_process);
  out.processes_in_all = count(json, "processes_in_all");
  read_list(json, "offender_environment", out.environment, text_of);
  read_list(json, "offender_descriptors", out.descriptors, [](const Json& item) {
    return NamedValue{text(item, "fd"), text(item, "target")};
  });
}

// "md5 agrees (a weak digest): libc6", "" where no database knows the file. The name is the
// container's: it comes last, and it alone is cut.
std::string package_of(const Json& map) {
  std::string name = text(map, "package");
  if (name.empty()) return {};
  if (name.size() > kMaxPackageName) name = name.substr(0, kMaxPackageName) + "...";
  const std::string digest = text(map, "package_digest");
  std::string out = digest.empty() ? "without a digest"
                                   : digest.substr(0, 16) + " " +
                                         (flag(map, "package_agrees") ? "agrees" : "DIFFERS") +
                                         " (a weak digest)";
  const Json* changed = member(map, "package_changed");
  if (changed == nullptr || !changed->is_boolean()) {
    out += ", whether the database was changed in the container is not known";
  } else if (changed->get<bool>()) {
    out += ", the database was CHANGED in the container";
  }
  return out + ": " + name;
}

void read_further(const Json& json, Evidence& out) {
  if (const Json* call = member(json, "call"))
    read_list(*call, "args", out.arguments, read_argument);
  read_list(json, "stack", out.stack, [](const Json& item) {
    return Frame{text(item, "module"), text(item, "offset"), text(item, "symbol")};
  });
  read_list(json, "maps", out.maps, [](const Json& item) {
    return MappedFile{text(item, "path"), text(item, "sha256"), package_of(item)};
  });
  read_list(json, "changed_files", out.changed_files, [](const Json& item) {
    return ChangedFile{text(item, "path"), text(item, "change"), text(item, "sha256"),
                       text(item, "copied_as"), count(item, "bytes")};
  });
  out.changed_files_in_all = count(json, "changed_files_in_all");
  if (const Json* counters = member(json, "cgroup_counters"))
    read_counters(*counters, out.counters, "", 0);
  read_list(json, "timeline", out.timeline, [](const Json& item) {
    return Moment{number(item, "at_ns"), text(item, "what")};
  });
}

}  // namespace

Result<Evidence> parse_evidence(std::string_view json) {
  if (json.size() > kMaxEvidenceBytes)
    return fail(Code::kInvalidArgument, "evidence.json is larger than 8 MiB");
  // Counted while it is read: a tree is many times larger than its text.
  std::size_t values = 0;
  bool too_much = false;
  const auto bounded = [&](int depth, Json::parse_event_t, Json&) {
    if (++values > kMaxEvidenceValues || depth > static_cast<int>(kMaxEvidenceDepth))
      too_much = true;
    return !too_much;
  };
  const Json document = Json::parse(json, bounded, /*allow_exceptions=*/false);
  if (too_much)
    return fail(Code::kInvalidArgument,
                "evidence.json has more values, or deeper ones, than any "
                "that Ward writes");
  if (!document.is_object()) return fail(Code::kInvalidArgument, "evidence.json is no JSON object");
  Evidence out;
  read_taken(document, out);
  read_further(document, out);
  return out;
}

}  // namespace ward::cli
