// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "lib/base/escape.h"
#include "lib/oci/capabilities.h"
#include "profiles/filter/constants.h"
#include "profiles/filter/seccomp_intersect.h"
#include "profiles/validate.h"
#include "profiles/words.h"
#include "profiles/yaml/profile_places.h"
#include "profiles/yaml/read_yaml.h"
#include "profiles/yaml/yaml_fields.h"

namespace ward::profiles {
namespace {

// Reads one profile and remembers where each field stood, so that the findings of validate() get
// positions.
class ProfileReader {
 public:
  explicit ProfileReader(std::string_view file_name) : reading_(file_name, &profile_sections()) {}

  Result<Profile> read(const YamlNode& root) {
    const Fields fields(reading_, root, "the document", sections::kProfile.keys);
    remember("", root);
    check_document(reading_, fields, "Profile");
    if (const YamlNode* node = fields.require("metadata")) read_metadata(*node);
    if (const YamlNode* node = fields.require("spec")) read_spec(*node);
    if (const YamlNode* node = fields.find("provenance")) read_provenance(*node);
    // A half-read profile would give findings that are not true.
    if (!reading_.ok()) return tl::unexpected<Error>(reading_.error());
    for (const Finding& finding : validate(profile_)) {
      if (finding.severity == Finding::Severity::kError)
        reading_.complain(position_of(finding.subject), finding.message);
    }
    if (!reading_.ok()) return tl::unexpected<Error>(reading_.error());
    return std::move(profile_);
  }
  [[nodiscard]] const Places& places() const { return positions_; }

 private:
  void remember(const std::string& subject, const YamlNode& node) { positions_[subject] = node.at; }

  Position position_of(std::string subject) const {
    while (true) {
      const auto found = positions_.find(subject);
      if (found != positions_.end()) return found->second;
      const std::size_t dot = subject.rfind('.');
      subject = dot == std::string::npos ? "" : subject.substr(0, dot);
    }
  }

  void read_metadata(const YamlNode& node) {
    const Fields fields(reading_, node, "metadata", sections::kProfileMetadata.keys);
    check_notes(reading_, fields);
    remember("metadata", node);
    if (const YamlNode* name = fields.require("name")) {
      remember("metadata.name", *name);
      if (auto text = read_text(reading_, *name, "name")) profile_.name = *text;
    }
    if (const YamlNode* version = fields.find("version")) {
      remember("metadata.version", *version);
      if (const auto number = read_number(reading_, *version, "version"))
        profile_.version = *number;
    }
  }

  void read_spec(const YamlNode& node) {
    const Fields fields(reading_, node, "spec", sections::kProfileSpec.keys);
    remember("spec", node);
    if (const YamlNode* found = fields.find("extends"))
      read_words(*found, "extends", profile_.extends);
    profile_.architectures = {"x86_64"};
    if (const YamlNode* found = fields.find("architectures"))
      read_words(*found, "architectures", profile_.architectures);
    if (const YamlNode* found = fields.find("knows")) read_known(*found);
    if (const YamlNode* found = fields.find("noNewPrivileges")) {
      if (const auto value = read_bool(reading_, *found, "noNewPrivileges"))
        profile_.no_new_privileges = *value;
    }
    if (const YamlNode* found = fields.find("posture")) {
      remember("posture", *found);
      if (const auto choice = read_choice(reading_, *found, "posture", posture_names()))
        profile_.posture = static_cast<Posture>(*choice);
    }
    if (const YamlNode* found = fields.find("rehearsal")) {
      remember("rehearsal", *found);
      if (const auto value = read_bool(reading_, *found, "rehearsal")) profile_.rehearsal = *value;
    }
    if (const YamlNode* found = fields.find("boundary")) read_boundary(*found);
    if (const YamlNode* found = fields.require("syscalls")) read_layers(*found);
    if (const YamlNode* found = fields.find("accept")) read_accepts(*found);
    if (const YamlNode* found = fields.find("capabilities")) read_capabilities(*found);
    if (const YamlNode* found = fields.find("refused")) read_refused(*found);
    if (const YamlNode* found = fields.find("onViolation")) read_reactions(*found);
  }

  // A list of words, each at most once; kept sorted because the order means nothing.
  void read_words(const YamlNode& node, const std::string& subject, std::vector<std::string>& out) {
    remember(subject, node);
    const auto* items = read_list(reading_, node, subject);
    if (items == nullptr) return;
    out.clear();
    for (const YamlNode& item : *items) {
      const auto text = read_text(reading_, item, "an entry of " + subject);
      if (!text) continue;
      if (std::find(out.begin(), out.end(), *text) != out.end()) {
        reading_.complain(item.at, "'" + escape(*text, 60) + "' is listed twice: keep one of them");
        continue;
      }
      out.push_back(*text);
    }
    std::sort(out.begin(), out.end());
  }

  void read_capabilities(const YamlNode& node) {
    read_words(node, "capabilities", profile_.capabilities);
    if (node.kind != YamlNode::Kind::kSequence) return;
    for (const YamlNode& item : node.items) {
      if (item.kind != YamlNode::Kind::kScalar) continue;
      remember("capabilities." + item.scalar, item);
      if (oci::find_capability(item.scalar)) continue;
      reading_.complain(item.at, "unknown capability '" + escape(item.scalar, 60) + "'" +
                                     oci::hint_for_capability(item.scalar));
    }
  }

  void read_known(const YamlNode& node) {
    remember("knows", node);
    const Fields fields(reading_, node, "knows", sections::kKnows.keys);
    NewestKnown known;
    if (const YamlNode* found = fields.require("number")) {
      const auto number = read_number(reading_, *found, "number").value_or(0);
      known.number =
          static_cast<std::uint32_t>(std::min<std::uint64_t>(number, filter::kSyscallSearchEnd));
    }
    if (const YamlNode* found = fields.require("name"))
      known.name = read_text(reading_, *found, "name").value_or("");
    profile_.knows = std::move(known);
  }

  void read_boundary(const YamlNode& node) {
    remember("boundary", node);
    const Fields fields(reading_, node, "boundary", sections::kBoundary.keys);
    if (const YamlNode* found = fields.find("quiet")) {
      if (const auto value = read_duration(reading_, *found, "quiet"))
        profile_.boundary.quiet = *value;
    }
    if (const YamlNode* found = fields.find("latest")) {
      if (const auto value = read_duration(reading_, *found, "latest"))
        profile_.boundary.latest = *value;
    }
  }

  void read_layers(const YamlNode& node) {
    const Fields fields(reading_, node, "syscalls", sections::kLayers.keys);
    remember("syscalls", node);
    for (const Layer layer : {Layer::kBoot, Layer::kServing, Layer::kExec}) {
      const YamlNode* found = fields.find(layer_name(layer));
      if (found == nullptr) continue;
      const std::string subject = "syscalls." + std::string(layer_name(layer));
      const auto* items = read_list(reading_, *found, subject);
      if (items == nullptr) continue;
      for (const YamlNode& item : *items) read_entry(item, subject, profile_.syscalls[layer]);
      if (profile_.syscalls[layer].empty()) profile_.syscalls.erase(layer);
    }
  }

  void read_refused(const YamlNode& node) {
    remember("refused", node);
    const auto* items = read_list(reading_, node, "refused");
    if (items == nullptr) return;
    for (const YamlNode& item : *items) read_entry(item, "refused", profile_.refused);
  }

  void read_entry(const YamlNode& node, const std::string& subject, SyscallSet& set) {
    SyscallEntry entry;
    if (node.kind == YamlNode::Kind::kMap) {
      const Fields fields(reading_, node, "a syscall", sections::kCall.keys);
      if (const YamlNode* name = fields.require("name"))
        entry.name = read_text(reading_, *name, "name").value_or("");
      if (const YamlNode* args = fields.find("args")) entry.args = read_filters(*args, entry.name);
    } else {
      entry.name = read_text(reading_, node, "a syscall").value_or("");
    }
    if (entry.name.empty()) {
      if (node.kind == YamlNode::Kind::kScalar)
        reading_.complain(node.at, "a syscall needs a name");
      return;
    }
    const auto [place, added] = set.emplace(entry.name, entry);
    if (added) return remember(subject + "." + entry.name, node);
    SyscallEntry& listed = place->second;
    if (listed.args.empty() || entry.args.empty()) {
      const std::string name = escape(entry.name, 60);
      reading_.complain(
          node.at,
          "'" + name + "' is listed twice, and one of the two allows any arguments: keep that");
      return;
    }
    listed.more.push_back(std::move(entry.args));
    remember(subject + "." + listed.name + "." + std::to_string(listed.more.size()), node);
  }

  std::vector<ArgFilter> read_filters(const YamlNode& node, const std::string& syscall) {
    std::vector<ArgFilter> filters;
    const auto* items = read_list(reading_, node, "args");
    if (items == nullptr) return filters;
    if (items->empty())
      reading_.complain(node.at, "args is empty: list a filter, or name the syscall alone");
    for (const YamlNode& item : *items) filters.push_back(read_filter(item, syscall));
    std::stable_sort(filters.begin(), filters.end(),
                     [](const ArgFilter& a, const ArgFilter& b) { return a.index < b.index; });
    return filters;
  }

  ArgFilter read_filter(const YamlNode& node, const std::string& syscall) {
    ArgFilter filter;
    const Fields fields(reading_, node, "a filter", sections::kFilter.keys);
    if (const YamlNode* index = fields.require("index")) {
      const auto number = read_number(reading_, *index, "index");
      if (number && *number > 5) {
        reading_.complain(index->at, "index is 0 to 5: a call has six arguments");
      } else if (number) {
        filter.index = static_cast<std::uint32_t>(*number);
      }
    }
    if (const YamlNode* mask = fields.find("mask"))
      filter.mask = read_value(*mask, syscall, filter.index);
    if (const YamlNode* none_of = fields.find("noneOf")) {
      filter.none_of = read_values(*none_of, "noneOf", syscall, filter.index);
      if (fields.find("oneOf") != nullptr || filter.mask) {
        reading_.complain(none_of->at,
                          "noneOf stands alone: it compares the lower 32 bits, without a mask");
      }
    } else if (const YamlNode* one_of = fields.require("oneOf")) {
      filter.one_of = read_values(*one_of, "oneOf", syscall, filter.index);
    }
    return filter;
  }

  std::vector<std::uint64_t> read_values(const YamlNode& node, std::string_view key,
                                         const std::string& syscall, std::uint32_t index) {
    std::vector<std::uint64_t> values;
    const auto* items = read_list(reading_, node, key);
    if (items == nullptr) return values;
    if (items->empty()) {
      reading_.complain(node.at, key == "oneOf"
                                     ? "oneOf is empty: list the values that are allowed"
                                     : "noneOf is empty: list the values that are not allowed");
    }
    for (const YamlNode& item : *items) {
      if (const auto value = read_value(item, syscall, index)) values.push_back(*value);
    }
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    return values;
  }

  std::optional<std::uint64_t> read_value(const YamlNode& node, const std::string& syscall,
                                          std::uint32_t index) {
    const auto text = read_text(reading_, node, "a value");
    if (!text) return std::nullopt;
    // A protocol has a name only in the family AF_NETLINK.
    const bool protocol = syscall == "socket" && index == 2;
    const auto value = filter::parse_argument_value(
        protocol ? filter::kNetlinkSocket : std::string_view(syscall), index, *text);
    if (!value) {
      reading_.complain(node.at, value.error().message);
      return std::nullopt;
    }
    return *value;
  }

  void read_accepts(const YamlNode& node) {
    const auto* items = read_list(reading_, node, "accept");
    if (items == nullptr) return;
    for (const YamlNode& item : *items) {
      remember("accept." + std::to_string(profile_.accept.size()), item);
      const Fields fields(reading_, item, "accept", sections::kAccept.keys);
      Accept accept;
      if (const YamlNode* bundle = fields.find("bundle")) {
        accept.bundle = read_text(reading_, *bundle, "bundle").value_or("");
        if (accept.bundle.empty())
          reading_.complain(bundle->at, "bundle needs a name, such as getaddrinfo");
        for (const char* other : {"capability", "syscall", "args"})
          if (fields.find(other) != nullptr)
            reading_.complain(bundle->at, "a signature for a bundle has no " + std::string(other) +
                                              ": write two");
      } else if (const YamlNode* capability = fields.find("capability")) {
        accept.capability = read_text(reading_, *capability, "capability").value_or("");
        if (accept.capability.empty())
          reading_.complain(capability->at, "capability needs a name, such as CAP_SYS_PTRACE");
        if (fields.find("syscall") != nullptr || fields.find("args") != nullptr) {
          reading_.complain(capability->at,
                            "a signature for a capability has neither syscall nor args: write two");
        }
      } else if (const YamlNode* syscall = fields.require("syscall")) {
        accept.syscall = read_text(reading_, *syscall, "syscall").value_or("");
      }
      if (const YamlNode* reason = fields.require("reason"))
        accept.reason = read_text(reading_, *reason, "reason").value_or("");
      if (const YamlNode* args = fields.find("args"))
        accept.args = read_filters(*args, accept.syscall);
      profile_.accept.push_back(std::move(accept));
    }
  }

  void read_reactions(const YamlNode& node) {
    const Fields fields(reading_, node, "onViolation", sections::kReactions.keys);
    if (const YamlNode* found = fields.find("refused")) {
      if (const auto choice = read_choice(reading_, *found, "onViolation.refused", refused_names()))
        profile_.on_refused = static_cast<Refused>(*choice);
    }
    if (const YamlNode* found = fields.find("workload"))
      read_reaction(*found, "onViolation.workload", profile_.on_workload);
    if (const YamlNode* found = fields.find("exec"))
      read_reaction(*found, "onViolation.exec", profile_.on_exec);
  }

  void read_reaction(const YamlNode& node, const std::string& subject, Reaction& reaction) {
    remember(subject, node);
    const Fields fields(reading_, node, subject, sections::kReaction.keys);
    if (const YamlNode* found = fields.require("action")) {
      if (const auto choice = read_choice(reading_, *found, "action", action_names())) {
        reaction.action = filter::action_at(*choice);
      }
    }
    const YamlNode* escalate = fields.find("escalate");
    if (escalate == nullptr) return;
    const Fields steps(reading_, *escalate, "escalate", sections::kEscalate.keys);
    if (const YamlNode* found = steps.require("to")) {
      if (const auto choice = read_choice(reading_, *found, "to", action_names())) {
        reaction.escalate_to = filter::action_at(*choice);
      }
    }
    if (const YamlNode* found = steps.require("after")) {
      if (const auto number = read_number(reading_, *found, "after")) {
        if (*number > 1'000'000) reading_.complain(found->at, "after is at most 1000000");
        reaction.escalate_after =
            static_cast<std::uint32_t>(std::min<std::uint64_t>(*number, 1'000'000));
      }
    }
    if (const YamlNode* found = steps.require("within")) {
      if (const auto value = read_duration(reading_, *found, "within")) {
        if (value->count() % 1000 != 0)
          reading_.complain(found->at, "within is a whole number of seconds, such as 10s or 10m");
        reaction.escalate_window = std::chrono::duration_cast<std::chrono::seconds>(*value);
      }
    }
  }

  void read_provenance(const YamlNode& node) {
    if (node.kind != YamlNode::Kind::kMap) {
      reading_.complain(node.at, "provenance must be a map of texts");
      return;
    }
    for (const YamlEntry& entry : node.entries) {
      if (auto text = read_text(reading_, entry.value, "provenance." + escape(entry.key, 60))) {
        profile_.provenance[entry.key] = *text;
      }
    }
  }

  Reading reading_;
  Profile profile_;
  Places positions_;
};

}  // namespace

Result<Profile> read_profile(std::string_view text, std::string_view file_name) {
  const auto root = parse_document(text, file_name);
  if (!root) return tl::unexpected<Error>(root.error());
  return ProfileReader(file_name).read(*root);
}

Places profile_places(std::string_view text) {
  const auto root = parse_document(text, "");
  ProfileReader reader("");
  if (!root || !reader.read(*root)) return {};
  return reader.places();
}

Result<std::string> read_kind(std::string_view text, std::string_view file_name) {
  const auto root = parse_document(text, file_name);
  if (!root) return tl::unexpected<Error>(root.error());
  for (const YamlEntry& entry : root->entries) {
    if (entry.key != "kind") continue;
    Reading reading(file_name);
    const auto kind = read_choice(reading, entry.value, "kind", document_kinds());
    if (!kind) return tl::unexpected<Error>(reading.error());
    return std::string(document_kinds()[*kind]);
  }
  return fail(Code::kInvalidArgument, format_position(file_name, root->at) +
                                          ": the document needs 'kind', such as kind: Profile");
}

}  // namespace ward::profiles
