// SPDX-License-Identifier: Apache-2.0
// What leaves the node: one event of the journal as plain values, with what a receiver wants beside
// it. Made on the core loop, then read only, by formatters on other threads (formats.h). Texts that
// a container chose are data, as they came but for their length; each format escapes them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "enforcer/journal/journal.h"
#include "enforcer/sinks/references.h"
#include "profiles/yaml/sink_settings.h"

namespace ward::enforcer::sinks {

using profiles::Severity;
using profiles::severity_name;

inline constexpr const char* kEventSchema = "ward.dev/event/v1";
inline constexpr std::size_t kMaxText = 2048;  // bytes of one text
inline constexpr std::size_t kMaxArgument = 256;

struct Event {
  std::string id;
  std::uint64_t sequence = 0;  // in this node's journal
  std::int64_t wall_ns = 0;
  std::string node;
  std::string kind;
  Severity severity = Severity::kInfo;

  std::string workload;  // as the policy names it; else containerd namespace, image and so on
  std::string containerd_namespace, container, container_name;
  std::string kubernetes_namespace, pod;
  std::string image, image_digest;  // the digest where the reference has it

  std::string policy, profile, profile_digest, overlay;
  std::string mode, action, outcome, origin, phase, exec_id;

  std::string call;  // empty: it is about none
  std::vector<std::string> args;
  std::string capability;
  std::int32_t pid = 0, tid = 0;
  std::string comm, exe, newer_program;

  std::uint64_t repeats = 0, dropped_before = 0;
  std::string evidence;  // the name of the bundle
  std::string reason;
  std::vector<Reference> references;
};

// What the record itself does not say.
struct Surroundings {
  std::string node;
  std::string policy, workload;  // of the container, where it is still there
};

Event make_event(const JournalRecord& record, const Surroundings& around);

Severity severity_of(const JournalEntry& entry);

// "registry/app:1@sha256:0123..." -> "sha256:0123..."; empty where there is none.
std::string digest_in(const std::string& image);

// One line for people: printable ASCII, whatever the container's texts are.
std::string summary(const Event& event);

bool is_wanted(const Event& event, const profiles::SinkFilter& filter);

}  // namespace ward::enforcer::sinks
