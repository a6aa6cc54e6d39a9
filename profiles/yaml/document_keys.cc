// SPDX-License-Identifier: Apache-2.0
#include "profiles/yaml/document_keys.h"

namespace ward::profiles {

using namespace sections;

const Keys& document_kinds() {
  static const Keys kinds = {"Profile", "Policy", "NodeConfig"};
  return kinds;
}

const Sections& policy_sections() {
  static const Sections all = {&kPolicy, &kMetadata,   &kPolicySpec,   &kRule,      &kMatch,
                               &kAmend,  &kStormGuard, &kEnforceAfter, &kReactions, &kRuleReaction};
  return all;
}

const Sections& profile_sections() {
  static const Sections all = {&kProfile,  &kProfileMetadata, &kProfileSpec, &kKnows,
                               &kBoundary, &kLayers,          &kCall,        &kFilter,
                               &kAccept,   &kReactions,       &kReaction,    &kEscalate};
  return all;
}

const Sections& node_config_sections() {
  static const Sections all = {&kNodeConfig, &kMetadata, &kJournal, &kRecordings,
                               &kQuarantine, &kEvidence, &kRuntime, &kMetrics,
                               &kSampling,   &kSink,     &kSinkTls, &kSinkFilter};
  return all;
}

}  // namespace ward::profiles
