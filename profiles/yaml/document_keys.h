// SPDX-License-Identifier: Apache-2.0
// The keys of every map in Ward's documents, and where each belongs: a key that stands in the wrong
// map is told where it goes. Used by the readers of YAML only.
#pragma once

#include <string_view>
#include <vector>

namespace ward::profiles {

using Keys = std::vector<std::string_view>;

struct Section {
  std::string_view name;  // as people call it: "match"
  Keys keys;
};

namespace sections {

inline const Section kPolicy{"the document", {"apiVersion", "kind", "metadata", "spec"}};
inline const Section kMetadata{"metadata", {"name", "labels", "annotations"}};
inline const Section kPolicySpec{"spec", {"rules"}};
inline const Section kRule{"a rule",
                           {"match", "mode", "profile", "workload", "missing", "exec",
                            "enforceAfter", "amend", "onViolation", "stormGuard"}};
inline const Section kStormGuard{"stormGuard", {"after", "within", "pods", "then"}};
inline const Section kEnforceAfter{"enforceAfter", {"runs", "recorded", "newInARunAtMost"}};
inline const Section kAmend{"amend", {"auto", "containers", "over"}};
inline const Section kMatch{
    "match",
    {"containerdNamespaces", "kubernetesNamespaces", "pods", "containers", "images",
     "includeSandboxes", "includePrivileged", "includeKubeSystem"}};
inline const Section kReactions{"onViolation", {"workload", "exec", "refused"}};
inline const Section kRuleReaction{"onViolation.workload and onViolation.exec", {"action"}};

inline const Section kProfile{"the document",
                              {"apiVersion", "kind", "metadata", "spec", "provenance"}};
inline const Section kProfileMetadata{"metadata", {"name", "version", "labels", "annotations"}};
inline const Section kProfileSpec{
    "spec",
    {"extends", "architectures", "knows", "noNewPrivileges", "posture", "rehearsal", "boundary",
     "syscalls", "accept", "capabilities", "refused", "onViolation"}};
inline const Section kKnows{"knows", {"number", "name"}};
inline const Section kBoundary{"boundary", {"quiet", "latest"}};
inline const Section kLayers{"syscalls", {"serving", "boot", "exec"}};
inline const Section kCall{"a syscall", {"name", "args"}};
inline const Section kFilter{"a filter", {"index", "mask", "oneOf", "noneOf"}};
inline const Section kAccept{"accept", {"syscall", "capability", "bundle", "reason", "args"}};
inline const Section kReaction{"onViolation.workload and onViolation.exec", {"action", "escalate"}};
inline const Section kEscalate{"escalate", {"to", "after", "within"}};

inline const Section kNodeConfig{
    "the document",
    {"apiVersion", "kind", "metadata", "journal", "recordings", "quarantine", "evidence", "runtime",
     "metrics", "sampling", "sinks", "whenUngoverned"}};
inline const Section kJournal{"journal", {"maxEvents", "maxAge"}};
inline const Section kRecordings{"recordings", {"runsPerWorkload"}};
inline const Section kQuarantine{"quarantine", {"ttl"}};
inline const Section kEvidence{"evidence",
                               {"maxBytes", "maxFiles", "full", "maxAge", "maxTotalBytes"}};
inline const Section kRuntime{"runtime", {"binary"}};
inline const Section kMetrics{"metrics", {"listen"}};
inline const Section kSampling{"sampling", {"window", "every"}};
inline const Section kSink{"a sink",
                           {"name", "type", "url", "hmacKeyFile", "tokenFile", "tls", "proxy",
                            "format", "path", "maxBytes", "keep", "timeout", "filter"}};
inline const Section kSinkTls{"tls", {"caFile", "certificateFile", "keyFile"}};
inline const Section kSinkFilter{"filter", {"severity", "kinds", "namespaces"}};

}  // namespace sections

const Keys& document_kinds();  // "Profile", "Policy", "NodeConfig"

// Every section of a kind of document: where else a key may belong.
using Sections = std::vector<const Section*>;
const Sections& policy_sections();
const Sections& profile_sections();
const Sections& node_config_sections();

}  // namespace ward::profiles
