// SPDX-License-Identifier: Apache-2.0
#include "cli/node_text.h"

#include <algorithm>

#include "cli/present/json_text.h"
#include "lib/base/printable.h"

namespace ward::cli {
namespace {

using nlohmann::ordered_json;
using node::Finding;
using node::Level;

constexpr std::size_t kMaxBytes = 65536;

std::string_view word(Level level) {
  switch (level) {
    case Level::kOk: return "ok";
    case Level::kNote: return "note";
    case Level::kWarning: return "warning";
    case Level::kProblem: return "problem";
  }
  return "";
}

std::string painted(Level level, const Style& style) {
  std::string padded(word(level));
  padded.resize(9, ' ');
  switch (level) {
    case Level::kOk: return style.good(padded);
    case Level::kNote: return padded;
    case Level::kWarning: return style.warn(padded);
    case Level::kProblem: return style.bad(padded);
  }
  return padded;
}

std::string shown(const std::string& text) { return printable(text, kMaxBytes); }

// One line, whatever stands in it.
std::string shown_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return shown(text);
}

std::string line(const std::string& name, const std::string& value) {
  return name + std::string(name.size() < 12 ? 12 - name.size() : 1, ' ') + value + "\n";
}

const char* const kRestartByHand =
    "restart containerd (where it is a unit of systemd: systemctl restart containerd), when no "
    "pod is just being started, and run the same command again: it looks whether that was done. "
    "With --restart-command it does it itself";

}  // namespace

std::string outcome_text(const node::Outcome& outcome, bool dry_run, const Style& style) {
  std::string text;
  if (!outcome.file_difference.empty())
    text += shown(outcome.written) + (dry_run ? " would change:\n" : " changed:\n") +
            shown(outcome.file_difference);
  if (!outcome.changes.empty())
    text += "what containerd reads, before and after:\n" +
            shown(node::difference_text(outcome.changes));
  for (const std::string& done : outcome.done) text += style.good("ok") + "  " + shown(done) + "\n";
  for (const std::string& note : outcome.notes) text += "note  " + shown(note) + "\n";
  if (outcome.restart_needed) text += style.warn("left to do: ") + kRestartByHand + "\n";
  if (dry_run) text += "nothing was changed\n";
  if (!dry_run && outcome.done.empty() && !outcome.restart_needed)
    text += "nothing is to be done" +
            (outcome.version.empty() ? "" : ": Ward " + shown(outcome.version) + " is there") +
            "\n";
  return text;
}

ordered_json outcome_json(const node::Outcome& outcome, bool dry_run) {
  ordered_json changes = ordered_json::array();
  for (const node::Difference& one : outcome.changes)
    changes.push_back({{"key", one.key}, {"before", one.before}, {"after", one.after}});
  return {{"schema", schema("NodeOutcome")},
          {"version", outcome.version},
          {"dry_run", dry_run},
          {"config", outcome.config},
          {"way", outcome.way},
          {"written", outcome.written},
          {"file_difference", outcome.file_difference},
          {"changes", changes},
          {"done", outcome.done},
          {"notes", outcome.notes},
          {"restarted", outcome.restarted},
          {"restart_needed", outcome.restart_needed}};
}

int count(const node::Findings& findings, Level level) {
  return static_cast<int>(std::count_if(findings.begin(), findings.end(),
                                        [level](const Finding& f) { return f.level == level; }));
}

std::string findings_text(const node::Findings& findings, const Style& style) {
  std::string text;
  for (const Finding& finding : findings) {
    text += painted(finding.level, style) + shown_line(finding.about + ": " + finding.found) + "\n";
    if (!finding.action.empty())
      text += std::string(9, ' ') + "-> " + shown_line(finding.action) + "\n";
  }
  return text + std::to_string(count(findings, Level::kProblem)) + " problems, " +
         std::to_string(count(findings, Level::kWarning)) + " warnings\n";
}

ordered_json findings_json(const node::Findings& findings) {
  ordered_json list = ordered_json::array();
  for (const Finding& finding : findings)
    list.push_back({{"level", word(finding.level)},
                    {"id", finding.id},
                    {"about", finding.about},
                    {"found", finding.found},
                    {"action", finding.action}});
  return {{"schema", schema("NodeDiagnosis")},
          {"problems", count(findings, Level::kProblem)},
          {"warnings", count(findings, Level::kWarning)},
          {"findings", list}};
}

std::string state_text(const node::NodeFacts& facts, const node::Findings& findings,
                       const Style& style) {
  std::string text;
  if (!facts.record) {
    text += line("ward", "not installed by `ward node`");
  } else {
    const node::Record& record = *facts.record;
    text += line("ward", shown(record.version) + ", " + std::string(node::word(record.phase)));
    text +=
        line("handler",
             shown(record.handler) + ", by " + std::string(node::word(record.way)) +
                 (record.way == node::Way::kNone ? "" : " in " + shown(record.written.string())));
    text += line("programs", shown(record.bin_dir.string()));
    text += line("shims", std::to_string(facts.use.current.size()) + " of this version, " +
                              std::to_string(facts.use.older.size()) + " older, " +
                              std::to_string(facts.use.bundles.size()) + " bundles");
  }
  if (facts.daemon)
    text += line("containerd", node::version_text(facts.daemon->version) + " at " +
                                   shown(facts.daemon->socket.string()));
  for (const Finding& finding : findings) {
    if (finding.level != Level::kProblem) continue;
    text += line("problem", style.bad(shown_line(finding.found)));
    text += line("", "-> " + shown_line(finding.action));
  }
  return text;
}

ordered_json state_json(const node::NodeFacts& facts, const node::Findings& findings) {
  const node::Record record = facts.record.value_or(node::Record());
  const bool known = facts.cri && facts.cri->handlers.count(record.handler) != 0;
  ordered_json problems = ordered_json::array();
  ordered_json handlers = ordered_json::array();
  if (facts.cri)
    for (const auto& [name, type] : facts.cri->handlers) handlers.push_back(name);
  for (const Finding& finding : findings)
    if (finding.level == Level::kProblem) problems.push_back(finding.found);
  return {{"schema", schema("NodeState")},
          {"installed", facts.record.has_value()},
          {"phase", facts.record ? node::word(record.phase) : ""},
          {"version", record.version},
          {"handler", record.handler},
          {"handler_known", known},
          {"handlers", handlers},
          {"way", facts.record ? node::word(record.way) : ""},
          {"written", record.written.string()},
          {"bin_dir", record.bin_dir.string()},
          {"containerd", facts.daemon ? node::version_text(facts.daemon->version) : ""},
          {"socket", facts.daemon ? facts.daemon->socket.string() : ""},
          {"shims", facts.use.current.size()},
          {"older_shims", facts.use.older.size()},
          {"bundles", facts.use.bundles.size()},
          {"problems", problems}};
}

}  // namespace ward::cli
