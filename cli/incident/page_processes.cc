// SPDX-License-Identifier: Apache-2.0
// The tree of processes and the programs that were loaded.
#include <algorithm>
#include <map>
#include <set>

#include "cli/incident/page_parts.h"
#include "cli/incident/page_sections.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"

namespace ward::cli {
namespace {

constexpr int kMaxDepth = 32;

// Process numbers and parents are claims of the evidence: a circle of them must not keep us.
class Tree {
 public:
  Tree(html::Writer& out, const Section& section, const Evidence& evidence, std::int64_t offender)
      : out_(out), section_(section), offender_(offender) {
    for (const auto* list : {&evidence.chain, &evidence.processes})
      for (const SeenProcess& process : *list) all_.emplace(process.pid, &process);
    for (const auto& [pid, process] : all_) {
      const bool is_root = process->parent == pid || !all_.contains(process->parent);
      children_[is_root ? kNobody : process->parent].push_back(pid);
    }
  }

  std::size_t write() {
    out_.open("div", {{"class", "tree"}});
    // A circle has no root: its processes are shown all the same.
    write_children(kNobody, 0);
    for (const auto& [pid, process] : all_)
      if (!written_.contains(pid) && section_.has_room()) {
        out_.open("ul");
        write_process(*process, 0);
        out_.close();
      }
    out_.close();
    return all_.size() - written_.size();
  }

 private:
  static constexpr std::int64_t kNobody = -1;

  void write_children(std::int64_t pid, int depth) {
    const auto found = children_.find(pid);
    if (found == children_.end() || depth > kMaxDepth || !section_.has_room()) return;
    out_.open("ul");
    bool any = false;
    for (const std::int64_t child : found->second) {
      if (!section_.has_room() || written_.contains(child)) continue;
      write_process(*all_.at(child), depth);
      any = true;
    }
    if (!any) out_.element("li", "...");
    out_.close();
  }

  void write_process(const SeenProcess& process, int depth) {
    written_.insert(process.pid);
    out_.open("li");
    const bool offends = process.pid == offender_;
    const std::string name = printable(process.comm, 64) + " " + std::to_string(process.pid);
    if (offends) {
      out_.open("span", {{"class", "bad"}}).text(name + " - made the call").close();
    } else {
      out_.text(name);
    }
    std::string rest;
    if (process.gone) rest += " (gone)";
    if (process.uid) rest += ", user " + std::to_string(*process.uid);
    if (!process.exe.empty()) rest += ", " + printable(process.exe, 200);
    out_.open("span", {{"class", "soft"}}).text(rest).close();
    std::string command;
    for (const std::string& argument : process.arguments) {
      command += (command.empty() ? "" : " ") + argument;
      if (command.size() > 300) break;
    }
    if (!command.empty()) out_.open("div").open("code").text(command, 300).close().close();
    write_children(process.pid, depth + 1);
    out_.close();
  }

  html::Writer& out_;
  const Section& section_;
  std::int64_t offender_;
  std::map<std::int64_t, const SeenProcess*> all_;
  std::map<std::int64_t, std::vector<std::int64_t>> children_;
  std::set<std::int64_t> written_;
};

}  // namespace

void write_processes(html::Writer& out, const Incident& incident) {
  const Evidence& evidence = incident.bundle.evidence;
  Section section(out, "processes", "Processes");
  if (evidence.chain.empty() && evidence.processes.empty()) {
    out.open("p").text("The evidence has none. The event names ").data(incident.event.comm());
    out.text(", pid " + std::to_string(incident.event.pid()) + ", ").data(incident.event.exe());
    out.text(".").close();
    return;
  }
  if (evidence.redacted)
    out.element("p", {{"class", "soft"}},
                "Values of arguments and environment are left out "
                "(evidence.full in wardd.yaml keeps them).");
  const std::size_t left_out = Tree(out, section, evidence, incident.event.pid()).write();
  const auto listed = static_cast<std::uint64_t>(evidence.processes.size());
  section.say_left_out(left_out + static_cast<std::size_t>(evidence.processes_in_all > listed
                                                               ? evidence.processes_in_all - listed
                                                               : 0));
}

}  // namespace ward::cli
