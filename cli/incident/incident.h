// SPDX-License-Identifier: Apache-2.0
// An incident: a violation that Ward contained, or has evidence of. Everything that a page or a
// text says of one comes from here, as values; nothing here asks or reads.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/incident/evidence.h"
#include "profiles/profile.h"
#include "profiles/ruling.h"
#include "ward/v1/api.pb.h"

namespace ward::cli {

// Calls of one kind under one profile, this incident's among them or not.
struct RelatedGroup {
  std::string syscall, profile;
  std::uint64_t calls = 0;  // with repeats
  std::uint32_t incidents = 0;
  std::vector<std::string> containers;  // a few of them, "default/web-1"
  std::uint32_t containers_in_all = 0;
  std::int64_t first_wall_ns = 0, last_wall_ns = 0;
  std::vector<std::string> ids;  // of the newest incidents
  bool same_call = false;        // as this incident's, under the same profile
  bool same_container = false;   // some of it in the container of this incident
};

// What the profile says about the call.
struct Judgement {
  profiles::Ruling ruling;
  profiles::Profile profile;
  std::string file;
  std::string recorded;      // what kept recordings say of the call; empty: there are none
  bool same_version = true;  // false: the version of the event is not in force any more
};

struct Incident {
  ward::v1::Event event;
  Bundle bundle;
  std::optional<ward::v1::Container> container;  // as it is now
  std::optional<Judgement> judgement;
  std::string why_no_judgement;
  std::vector<RelatedGroup> related;
  std::string node;  // its host name
  std::int64_t made_wall_ns = 0;
};

bool is_incident(const ward::v1::Event& event);

// "kubernetes-namespace/pod/container", else "namespace/id"; as it is, not escaped.
std::string where_of(const ward::v1::Event& event);

// The call of an event, as a profile is asked about it.
profiles::AskedCall asked_call(const ward::v1::Event& event);

enum class Containment { kQuarantined, kKilled, kReleased, kGone, kNotContained };
Containment containment_of(const Incident& incident);
std::string_view containment_word(Containment containment);  // "quarantined", for programs

// One sentence: what, where, what Ward did, and how it stands now. Escaped.
std::string headline(const Incident& incident);
std::string standing(const Incident& incident);  // its last part: "It is contained: ..."

// From the notification on, in the order of time.
std::vector<Moment> timeline_of(const Incident& incident);

struct NextStep {
  std::string what;     // "Let it go on"
  std::string command;  // to copy
};
std::vector<NextStep> next_steps(const Incident& incident);

// By profile and call, the ones of this incident first.
std::vector<RelatedGroup> group_related(const std::vector<ward::v1::Event>& events,
                                        const ward::v1::Event& incident);

// For a person: where, when and by whom the rule that decides was learned, or that it never was.
std::vector<std::string> provenance_sentences(const Judgement& judgement);

// When the runs that are kept made this call, for Judgement::recorded.
std::string recorded_sentence(const ward::v1::Recording& recording, const std::string& syscall);

}  // namespace ward::cli
