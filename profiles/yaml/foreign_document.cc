// SPDX-License-Identifier: Apache-2.0
#include "profiles/yaml/foreign_document.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "lib/base/escape.h"
#include "profiles/yaml/document_keys.h"

namespace ward::profiles {
namespace {

constexpr std::string_view kOperator = "security-profiles-operator.x-k8s.io/";
constexpr std::string_view kOurs = "ward.dev/";
// What a Profile of Ward is made of, whatever else there is.
constexpr std::string_view kRecord =
    "for a Profile of Ward record the workload (a Policy with mode: learn), then `ward profile "
    "generate`";

const YamlEntry* find(const YamlNode& root, std::string_view key) {
  const auto found = std::find_if(root.entries.begin(), root.entries.end(),
                                  [&](const YamlEntry& entry) { return entry.key == key; });
  return found == root.entries.end() ? nullptr : &*found;
}

std::string text_of(const YamlEntry* entry) { return entry == nullptr ? "" : entry->value.scalar; }

struct OperatorKind {
  std::string_view kind;
  std::string_view advice;
};
constexpr std::array<OperatorKind, 4> kOperatorKinds = {{
    {"SeccompProfile",
     "let the pod name it as its seccompProfile, and Ward keeps to what it refuses; "},
    {"ProfileRecording", "Ward records by itself; "},
    {"ProfileBinding", "in Ward a rule of a Policy says which container has which profile; "},
    {"", "Ward reads nothing of the operator; "},
}};

ForeignDocument of_the_operator(const YamlNode& root, std::string_view kind) {
  const auto* const known =
      std::find_if(kOperatorKinds.begin(), kOperatorKinds.end(),
                   [&](const OperatorKind& one) { return one.kind == kind || one.kind.empty(); });
  return {find(root, "apiVersion")->value.at,
          "this is a " + escape(kind, 60) +
              " of the Security Profiles Operator, not a document of Ward: " +
              std::string(known->advice) + std::string(kRecord)};
}

}  // namespace

std::optional<ForeignDocument> find_foreign_document(const YamlNode& root) {
  const std::string version = text_of(find(root, "apiVersion"));
  if (version.rfind(kOurs, 0) == 0) return std::nullopt;
  const std::string kind = text_of(find(root, "kind"));
  if (version.rfind(kOperator, 0) == 0) return of_the_operator(root, kind);
  if (const YamlEntry* action = find(root, "defaultAction")) {
    return ForeignDocument{
        action->at,
        "this is a seccomp profile as Docker, containerd and OCI have it, not a Profile of Ward: "
        "give it to the container as its own filter, and Ward keeps to what it refuses; " +
            std::string(kRecord)};
  }
  if (const YamlEntry* oci = find(root, "ociVersion")) {
    return ForeignDocument{oci->at, "this is a container's config.json, not a document of Ward; " +
                                        std::string(kRecord)};
  }
  const Keys& ours = document_kinds();
  const bool has_our_kind = std::find(ours.begin(), ours.end(), kind) != ours.end();
  if (version.empty() || kind.empty() || has_our_kind) return std::nullopt;
  return ForeignDocument{
      find(root, "kind")->value.at,
      "this is a " + escape(kind, 60) + " of '" + escape(version, 60) +
          "', not a document of Ward: those have apiVersion ward.dev/v1alpha1 and kind Profile, "
          "Policy or NodeConfig"};
}

}  // namespace ward::profiles
