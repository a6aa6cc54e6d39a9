// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/evidence_bundle.h"

#include <algorithm>

#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/escape.h"
#include "lib/base/file.h"
#include "lib/base/printable.h"
#include "shim/supervisor/evidence_json.h"

namespace ward::shim::supervisor {
namespace {

constexpr std::size_t kMarginBytes = 8192;  // for what was left out

// In the order in which they stand in evidence.json.
constexpr const char* kKeys[] = {"call",
                                 "stack",
                                 "offender_and_ancestors",
                                 "offender_environment",
                                 "offender_descriptors",
                                 "maps",
                                 "changed_files",
                                 "changed_files_in_all",
                                 "offender_cgroups",
                                 "cgroup_counters",
                                 "profile",
                                 "clocks",
                                 "processes"};

Json describe_violation(const node::v1::Violation& v) {
  Json out;
  out["event_id"] = v.event_id();
  out["wall_ns"] = v.wall_ns();
  out["monotonic_ns"] = v.monotonic_ns();
  out["boot_id"] = v.boot_id();
  out["containerd_namespace"] = escape(v.identity().containerd_namespace());
  out["container_id"] = escape(v.identity().container_id());
  out["pod"] = escape(v.identity().pod());
  out["kubernetes_namespace"] = escape(v.identity().kubernetes_namespace());
  out["image"] = escape(v.identity().image(), kMaxPathBytes);
  out["exec_id"] = escape(v.exec_id());
  out["profile"] = escape(v.profile_name());
  out["profile_digest"] = v.profile_digest();
  out["arch"] = v.arch();
  out["syscall_nr"] = v.syscall_nr();
  out["syscall"] = v.syscall();
  out["args"] = Json::array();
  for (const auto arg : v.args()) out["args"].push_back(arg);
  out["args_text"] = Json::array();
  for (const auto& text : v.args_text()) out["args_text"].push_back(text);
  out["pid"] = v.pid();
  out["tid"] = v.tid();
  out["comm"] = v.comm();
  out["exe"] = v.exe();
  out["reason"] = printable(v.reason());
  out["outcome"] = printable(v.outcome());
  out["answered_ns"] = v.answered_ns();
  out["contained_ns"] = v.contained_ns();
  return out;
}

// Files of one bundle, within its limits.
class Bundle {
 public:
  Bundle(const EvidenceRequest& request, LeftOut& left_out)
      : request_(request), left_out_(left_out) {}

  Result<void> add(const std::string& name, const std::string& content) {
    // The manifest always has a place.
    const std::size_t most = std::max<std::size_t>(request_.limits.max_files, 2);
    if (files_ + 1 >= most) return leave_out(name, "beyond evidence.maxFiles");
    if (bytes_ + content.size() > request_.limits.max_bytes)
      return leave_out(name, "beyond evidence.maxBytes");
    return write(name, content);
  }

  // The document has its place whatever its size: it has been cut to what is allowed, as far as
  // that goes.
  Result<void> add_document(const std::string& name, const std::string& content) {
    return write(name, content);
  }

  // One for the document, which is written last: it says what else there is.
  void keep_room(std::size_t bytes) {
    ++files_;
    bytes_ += bytes;
  }
  void give_room_back(std::size_t bytes) {
    --files_;
    bytes_ -= bytes;
  }

  Result<void> seal() {
    return write_file_atomically(request_.directory / "SHA256SUMS", manifest_);
  }

 private:
  Result<void> write(const std::string& name, const std::string& content) {
    if (auto written =
            write_file_atomically(request_.directory / name, content, 0600, Durability::kNone);
        !written) {
      return written;
    }
    ++files_;
    bytes_ += content.size();
    manifest_ += sha256_hex(content) + "  " + name + "\n";
    return {};
  }
  Result<void> leave_out(const std::string& name, const char* why) {
    left_out_.add(name, why);
    return {};
  }

  const EvidenceRequest& request_;
  LeftOut& left_out_;
  std::size_t files_ = 0;
  std::size_t bytes_ = 0;
  std::string manifest_;
};

Json timeline_of(const EvidenceRequest& request) {
  Json list = Json::array();
  for (const auto& entry : request.timeline)
    list.push_back({{"at_ns", entry.at_ns}, {"what", entry.what}});
  list.push_back({{"at_ns", monotonic_ns()}, {"what", "written"}});
  return list;
}

Json document_of(const EvidenceRequest& request, const Parts& parts, LeftOut& left_out) {
  Json document;
  document["format"] = 2;
  document["violation"] = describe_violation(request.violation);
  document["cgroup"] = escape(request.cgroup, kMaxPathBytes);
  document["values_redacted"] = !request.limits.full;
  document["timeline"] = timeline_of(request);
  for (const char* key : kKeys) {
    const auto part = parts.find(key);
    Json value = part == parts.end() ? Json(Json::value_t::discarded)
                                     : Json::parse(part->second, nullptr, false);
    if (value.is_discarded()) {
      left_out.add(
          key, parts.contains(std::string(kLeftOut)) ? "there is none" : "it was not read in time");
    } else {
      document[key] = std::move(value);
    }
  }
  document["processes_in_all"] = request.processes.size();
  const std::int64_t began_ns =
      document.contains("clocks") ? document["clocks"].value("monotonic_ns", std::int64_t{0}) : 0;
  if (began_ns > 0) document["took_ns"] = monotonic_ns() - began_ns;
  if (!parts.contains(std::string(kCaptured))) {
    left_out.add(
        "memory of the container",
        "it did not answer in time: arguments, strings, environment and stack may be missing");
  } else if (!parts.contains(std::string(kLeftOut))) {
    left_out.add("files", "reading did not end in time: hashes and changes may be missing");
  }
  return document;
}

// What the container can make large goes first, so that what happened always stays.
void cut(Json& document, std::size_t max_bytes, LeftOut& left_out) {
  for (const char* key : {"changed_files", "processes", "maps", "offender_descriptors", "stack",
                          "offender_environment", "profile", "offender_and_ancestors",
                          "cgroup_counters", "offender_cgroups"}) {
    if (document.dump(2).size() + kMarginBytes <= max_bytes) return;
    if (document.erase(key) > 0) left_out.add(key, "beyond evidence.maxBytes");
  }
}

// Copies of files that changed come last: there may be no room for all.
Result<void> add_files(Bundle& bundle, const Parts& parts) {
  for (const bool copies : {false, true}) {
    for (const auto& [name, content] : parts) {
      if (!name.starts_with(kFilePrefix)) continue;
      const std::string file = name.substr(kFilePrefix.size());
      if (file.starts_with(kCopyPrefix) != copies) continue;
      if (auto added = bundle.add(file, content); !added) return added;
    }
  }
  return {};
}

}  // namespace

Result<void> write_evidence(const EvidenceRequest& request, const Parts& parts) {
  LeftOut left_out;
  Bundle bundle(request, left_out);
  Json document = document_of(request, parts, left_out);
  cut(document, request.limits.max_bytes, left_out);
  const std::size_t room = document.dump(2).size() + kMarginBytes;
  bundle.keep_room(room);
  if (auto added = add_files(bundle, parts); !added) return added;
  bundle.give_room_back(room);
  Json list = left_out.list();
  if (const auto said = parts.find(std::string(kLeftOut)); said != parts.end()) {
    for (auto& one : Json::parse(said->second, nullptr, false)) list.push_back(std::move(one));
  }
  document["left_out"] = std::move(list);
  if (auto added = bundle.add_document("evidence.json", document.dump(2) + "\n"); !added)
    return added;
  return bundle.seal();
}

}  // namespace ward::shim::supervisor
