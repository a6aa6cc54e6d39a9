// SPDX-License-Identifier: Apache-2.0
#include "profiles/diff.h"

#include <algorithm>
#include <set>

#include "profiles/argument_choices.h"
#include "profiles/effective.h"
#include "profiles/filter/constants.h"
#include "profiles/harm/danger.h"
#include "profiles/merge.h"
#include "profiles/words.h"
#include "profiles/yaml/yaml_fields.h"

namespace ward::profiles {
namespace {

std::string describe(const SyscallSet& set, const std::string& name) {
  const auto found = set.find(name);
  return found == set.end() ? "not allowed" : describe_arguments(found->second);
}

// Is everything that `entry` allows allowed by `set` too?
bool allows_all_of(const SyscallSet& set, const SyscallEntry& entry) {
  const auto found = set.find(entry.name);
  return found != set.end() && covers_entry(found->second, entry);
}

std::string describe(const Reaction& reaction) {
  std::string text(action_name(reaction.action));
  if (reaction.escalate_to) {
    text += ", after " + std::to_string(reaction.escalate_after) + " within " +
            format_duration(reaction.escalate_window) + " " +
            std::string(action_name(*reaction.escalate_to));
  }
  return text;
}

class Settings {
 public:
  explicit Settings(ProfileDiff& out) : out_(out) {}
  void compare(std::string_view what, const std::string& before, const std::string& after,
               bool widens) {
    if (before == after) return;
    out_.settings.push_back(std::string(what) + ": " + before + " -> " + after);
    out_.settings_widen = out_.settings_widen || widens;
  }

 private:
  ProfileDiff& out_;
};

void compare_settings(const Profile& a, const Profile& b, ProfileDiff& out) {
  Settings settings(out);
  const auto yes_no = [](bool value) { return std::string(value ? "true" : "false"); };
  const auto is_milder = [](const Reaction& before, const Reaction& after) {
    return after.action < before.action ||
           (before.escalate_to && !after.escalate_to && after.action == before.action);
  };
  settings.compare("noNewPrivileges", yes_no(a.no_new_privileges), yes_no(b.no_new_privileges),
                   !b.no_new_privileges);
  const auto newest = [](const Profile& p) {
    return p.knows ? p.knows->name + " (" + std::to_string(p.knows->number) + ")"
                   : std::string("every call");
  };
  // What is not known is answered ENOSYS either way; only what else is done about it differs.
  settings.compare("knows", newest(a), newest(b),
                   b.knows && (!a.knows || b.knows->number < a.knows->number));
  settings.compare("posture", std::string(posture_name(a.posture)),
                   std::string(posture_name(b.posture)), b.posture > a.posture);
  settings.compare("rehearsal", yes_no(a.rehearsal), yes_no(b.rehearsal), b.rehearsal);
  settings.compare("boundary.quiet", format_duration(a.boundary.quiet),
                   format_duration(b.boundary.quiet), b.boundary.quiet > a.boundary.quiet);
  settings.compare("boundary.latest", format_duration(a.boundary.latest),
                   format_duration(b.boundary.latest), b.boundary.latest > a.boundary.latest);
  settings.compare("onViolation.workload", describe(a.on_workload), describe(b.on_workload),
                   is_milder(a.on_workload, b.on_workload));
  settings.compare("onViolation.exec", describe(a.on_exec), describe(b.on_exec),
                   is_milder(a.on_exec, b.on_exec));
  settings.compare("onViolation.refused", std::string(refused_name(a.on_refused)),
                   std::string(refused_name(b.on_refused)), b.on_refused < a.on_refused);
}

// Listing a call as refused allows nothing, but one of the danger set is no longer acted upon.
void compare_refused(const Profile& a, const Profile& b, ProfileDiff& out) {
  SyscallSet names = a.refused;
  names.insert(b.refused.begin(), b.refused.end());
  const auto describe_in = [](const SyscallSet& set, const std::string& name) {
    const auto found = set.find(name);
    return found == set.end() ? std::string("not listed") : describe_arguments(found->second);
  };
  Settings settings(out);
  for (const auto& [name, unused] : names) {
    const auto after = b.refused.find(name);
    const bool milder = after != b.refused.end() && !allows_all_of(a.refused, after->second) &&
                        !describe_danger(after->second).empty();
    settings.compare("refused " + name, describe_in(a.refused, name),
                     describe_in(b.refused, name) + (milder ? "  (danger set)" : ""), milder);
  }
}

}  // namespace

bool ProfileDiff::empty() const {
  return widened.empty() && narrowed.empty() && capabilities_added.empty() &&
         capabilities_removed.empty() && settings.empty();
}

bool ProfileDiff::widens() const {
  return !widened.empty() || !capabilities_added.empty() || settings_widen;
}

namespace {

std::string describe_filters(const std::string& name, const ArgFilters& args) {
  std::string text;
  for (const ArgFilter& filter : args) {
    text += (text.empty() ? "" : ", and ");
    text += "argument " + std::to_string(filter.index);
    if (filter.mask) text += " & " + filter::format_hex(*filter.mask);
    text += filter.none_of.empty() ? " is " : " is anything but ";
    const std::vector<std::uint64_t>& values =
        filter.none_of.empty() ? filter.one_of : filter.none_of;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) text += i + 1 == values.size() ? " or " : ", ";
      text += filter::format_argument_value(vocabulary_of(name, args), filter.index, values[i]);
    }
  }
  return text.empty() ? "any arguments" : text;
}

}  // namespace

std::string describe_arguments(const SyscallEntry& entry) {
  std::string text = describe_filters(entry.name, entry.args);
  for (const ArgFilters& args : entry.more) text += "; or " + describe_filters(entry.name, args);
  return text;
}

ProfileDiff diff(const Profile& a, const Profile& b) {
  ProfileDiff out;
  for (const Layer layer : {Layer::kServing, Layer::kBoot, Layer::kExec}) {
    const SyscallSet before = effective_layer(a, layer), after = effective_layer(b, layer);
    std::set<std::string> names;
    for (const auto* set : {&before, &after}) {
      for (const auto& [name, entry] : *set) names.insert(name);
    }
    for (const std::string& name : names) {
      SyscallChange change{layer, name, describe(before, name), describe(after, name), false};
      const auto new_entry = after.find(name), old_entry = before.find(name);
      if (new_entry != after.end() && !allows_all_of(before, new_entry->second)) {
        change.dangerous = !describe_danger(new_entry->second).empty();
        out.widened.push_back(change);
      }
      if (old_entry != before.end() && !allows_all_of(after, old_entry->second)) {
        change.dangerous = false;
        out.narrowed.push_back(change);
      }
    }
  }
  std::set_difference(b.capabilities.begin(), b.capabilities.end(), a.capabilities.begin(),
                      a.capabilities.end(), std::back_inserter(out.capabilities_added));
  std::set_difference(a.capabilities.begin(), a.capabilities.end(), b.capabilities.begin(),
                      b.capabilities.end(), std::back_inserter(out.capabilities_removed));
  compare_settings(a, b, out);
  compare_refused(a, b, out);
  return out;
}

std::string format_diff(const ProfileDiff& difference) {
  std::string text;
  const auto lines = [&](std::string_view sign, const std::vector<SyscallChange>& changes) {
    for (const SyscallChange& change : changes) {
      text += std::string(sign) + " " + std::string(layer_name(change.layer)) + " " +
              change.syscall + ": " + change.before + " -> " + change.after +
              (change.dangerous ? "  (danger set)" : "") + "\n";
    }
  };
  lines("+", difference.widened);
  lines("-", difference.narrowed);
  for (const std::string& name : difference.capabilities_added) {
    text += "+ " + name + (is_dangerous_capability(name) ? "  (danger set)" : "") + "\n";
  }
  for (const std::string& name : difference.capabilities_removed) text += "- " + name + "\n";
  for (const std::string& setting : difference.settings) text += "~ " + setting + "\n";
  return text;
}

}  // namespace ward::profiles
