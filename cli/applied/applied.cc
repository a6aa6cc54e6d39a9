// SPDX-License-Identifier: Apache-2.0
#include "cli/applied/applied.h"

#include <algorithm>

#include "cli/present/containers.h"
#include "cli/present/json.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"
#include "lib/base/utf8.h"

namespace ward::cli {
namespace {

constexpr std::size_t kMaxNamed = 20;  // of the calls that differ, in text

int rank(Agreement agreement) {
  switch (agreement) {
    case Agreement::kIdentical: return 3;
    case Agreement::kSameAnswers: return 2;
    case Agreement::kDifferent: return 1;
    case Agreement::kNotCompared: return 0;
  }
  return 0;
}

std::string counts_text(const FilterSummary& filter) {
  if (!filter.not_understood.empty()) return "not counted: " + printable(filter.not_understood);
  const CallCounts& calls = filter.calls;
  std::string text = std::to_string(calls.allow) + " allow, " + std::to_string(calls.refuse) +
                     " errno, " + std::to_string(calls.notify) + " notify, " +
                     std::to_string(calls.kill) + " kill";
  if (calls.log > 0) text += ", " + std::to_string(calls.log) + " log";
  if (calls.trap > 0) text += ", " + std::to_string(calls.trap) + " trap";
  if (calls.trace > 0) text += ", " + std::to_string(calls.trace) + " trace";
  return text + ", " + std::to_string(calls.by_arguments) + " by arguments";
}

std::string filter_text(const std::string& name, const FilterSummary& filter) {
  return "  " + name + std::to_string(filter.instructions) + " instructions, sha256 " +
         filter.sha256 + "\n            " + counts_text(filter) + "\n";
}

nlohmann::ordered_json counts_json(const CallCounts& calls) {
  return {{"allow", calls.allow},   {"errno", calls.refuse},
          {"notify", calls.notify}, {"kill", calls.kill},
          {"log", calls.log},       {"trap", calls.trap},
          {"trace", calls.trace},   {"by_arguments", calls.by_arguments}};
}

nlohmann::ordered_json filter_json(const FilterSummary& filter, std::string_view agreement,
                                   const Comparison& compared) {
  return {{"instructions", filter.instructions},
          {"sha256", filter.sha256},
          {"calls", counts_json(filter.calls)},
          {"not_understood", to_utf8(filter.not_understood)},
          {"agreement", agreement},
          {"differ", compared.differ},
          {"not_compared", compared.not_compared},
          {"sampled", compared.sampled}};
}

std::string named(const std::vector<std::string>& calls) {
  std::string text;
  for (std::size_t at = 0; at < std::min(calls.size(), kMaxNamed); ++at)
    text += (at == 0 ? "" : ", ") + calls[at];
  if (calls.size() > kMaxNamed)
    text += " and " + std::to_string(calls.size() - kMaxNamed) + " more";
  return text;
}

// The layer whose agreement is the container's.
const Comparison* find_best(const Applied& applied) {
  for (const AppliedLayer& layer : applied.layers)
    if (layer.with_spec.agreement == applied.agreement) return &layer.with_spec;
  return nullptr;
}

std::string same_answers(const Comparison* best) {
  std::string said = "they agree: one filter answers every call as the spec's does";
  if (best == nullptr || best->sampled.empty()) return said;
  return said + ", as far as was asked: a sample of the arguments of " + named(best->sampled);
}

std::string not_compared(const Comparison* best) {
  if (best == nullptr || best->not_compared.empty()) return "they cannot be compared";
  return "they cannot be compared: too many paths for " + named(best->not_compared);
}

std::string sentence(const Applied& applied) {
  if (!applied.from_kernel) {
    return applied.spec_found ? "what the kernel has was not read: this is what the spec says"
                              : "nothing could be read";
  }
  if (!applied.spec_found) return "the spec was not read: this is what the kernel has";
  if (!applied.spec_has_filter)
    return applied.layers.empty() ? "they agree: there is no filter"
                                  : "the spec has no filter, the process has: its program, or who "
                                    "started the runtime, loaded it";
  switch (applied.agreement) {
    case Agreement::kIdentical:
      return "they agree: one filter is the spec's, instruction by instruction";
    case Agreement::kSameAnswers: return same_answers(find_best(applied));
    case Agreement::kDifferent: return "they differ: no filter in force is the spec's";
    case Agreement::kNotCompared:
      return applied.layers.empty() ? "they differ: the kernel has no filter of this process"
                                    : not_compared(find_best(applied));
  }
  return "";
}

}  // namespace

std::string_view agreement_word(Agreement agreement) {
  switch (agreement) {
    case Agreement::kIdentical: return "identical";
    case Agreement::kSameAnswers: return "same-answers";
    case Agreement::kDifferent: return "different";
    case Agreement::kNotCompared: return "not-compared";
  }
  return "";
}

void judge(Applied& applied, const std::vector<SeccompProgram>& loaded,
           const std::vector<SeccompProgram>& programs) {
  if (!programs.empty()) applied.spec = summarize(programs.front());
  for (const SeccompProgram& one : loaded) {
    AppliedLayer layer{summarize(one), {}};
    for (const SeccompProgram& expected : programs) {
      Comparison compared = compare(one, expected);
      if (rank(compared.agreement) > rank(layer.with_spec.agreement))
        layer.with_spec = std::move(compared);
    }
    if (rank(layer.with_spec.agreement) > rank(applied.agreement))
      applied.agreement = layer.with_spec.agreement;
    applied.layers.push_back(std::move(layer));
  }
  const bool both = applied.from_kernel && applied.spec_found;
  if (both && applied.layers.empty())
    applied.agreement = applied.spec_has_filter ? Agreement::kDifferent : Agreement::kIdentical;
  applied.said = sentence(applied);
  if (applied.more_filters) applied.said += "; not all filters in force were read";
}

std::string applied_text(const Applied& applied, const Style& style) {
  const auto& c = applied.container;
  std::string text = style.bold(full_name(c)) + ", mode " + escape(c.mode());
  if (!c.profile().empty())
    text += ", profile " + escape(c.profile()) + "@" + escape(short_digest(c.profile_digest()));
  text += "\n";
  if (applied.from_kernel) {
    text += "  kernel    " + std::to_string(applied.layers.size()) +
            (applied.layers.size() == 1 ? " filter" : " filters") + " of process " +
            std::to_string(applied.thread > 0 ? applied.thread : c.pid()) +
            ", the oldest first; the strictest answer holds\n";
    if (applied.more_filters)
      text += "            more than these are in force: the newer ones were not read\n";
  } else {
    text += "  kernel    not read: " + printable(applied.why_not_kernel) + "\n";
  }
  for (std::size_t i = 0; i < applied.layers.size(); ++i) {
    const AppliedLayer& layer = applied.layers[i];
    text += filter_text("filter " + std::to_string(i) + "  ", layer.filter);
    if (!applied.spec_has_filter) continue;
    const Comparison& compared = layer.with_spec;
    text += "            against the spec's: " + std::string(agreement_word(compared.agreement));
    if (!compared.differ.empty()) text += ", for " + named(compared.differ);
    if (!compared.not_compared.empty())
      text += "; too many paths to compare: " + named(compared.not_compared);
    if (!compared.sampled.empty()) text += "; sampled: " + named(compared.sampled);
    text += "\n";
  }
  if (!applied.spec_found) {
    text += "  spec      not read: " + printable(applied.why_no_spec) + "\n";
  } else {
    text += "  spec      " + escape(applied.spec_file, 1024) +
            (applied.spec_has_filter ? "" : ": no filter") + "\n";
    if (applied.spec_has_filter) text += filter_text("          ", applied.spec);
  }
  const bool bad = applied.agreement == Agreement::kDifferent;
  return text + "  " + (bad ? style.bad(applied.said) : applied.said) + "\n";
}

nlohmann::ordered_json to_json(const Applied& applied) {
  const auto& c = applied.container;
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const AppliedLayer& layer : applied.layers)
    layers.push_back(
        filter_json(layer.filter, agreement_word(layer.with_spec.agreement), layer.with_spec));
  return {{"schema", schema("Applied")},
          {"containerd_namespace", to_utf8(c.containerd_namespace())},
          {"id", to_utf8(c.id())},
          {"mode", c.mode()},
          {"profile", to_utf8(c.profile())},
          {"profile_digest", c.profile_digest()},
          {"pid", c.pid()},
          {"from_kernel", applied.from_kernel},
          {"why_not_kernel", to_utf8(applied.why_not_kernel)},
          {"thread", applied.thread},
          {"filters", layers},
          {"more_filters", applied.more_filters},
          {"spec_found", applied.spec_found},
          {"why_no_spec", to_utf8(applied.why_no_spec)},
          {"spec_file", to_utf8(applied.spec_file)},
          {"spec_has_filter", applied.spec_has_filter},
          {"spec", filter_json(applied.spec, "", {})},
          {"agreement", agreement_word(applied.agreement)},
          {"said", to_utf8(applied.said)}};
}

}  // namespace ward::cli
