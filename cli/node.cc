// SPDX-License-Identifier: Apache-2.0
// Ward on a node of one's own. These verbs ask no wardd: they are for the time before there is one.
#include <memory>

#include "cli/app.h"
#include "cli/node/doctor.h"
#include "cli/node/install.h"
#include "cli/node_text.h"
#include "cli/options.h"
#include "cli/present/json_text.h"
#include "cli/verbs.h"

namespace ward::cli {
namespace {

using node::Options;
using node::Verb;

int run(Session& session, const Options& options, Verb verb, const char* name) {
  const auto outcome = verb == Verb::kUninstall ? node::uninstall(session.places, options)
                                                : node::install(session.places, options, verb);
  if (!outcome) {
    Error error = outcome.error();
    error.message = "node " + std::string(name) + ": " + error.message;
    return session.refuse(error.message, kExitFailed);
  }
  session.print(session.json ? json_text(outcome_json(*outcome, options.dry_run))
                             : outcome_text(*outcome, options.dry_run, session.out));
  return outcome->restart_needed ? kExitProblems : kExitOk;
}

void add_socket(CLI::App& verb, std::filesystem::path& socket) {
  add_value(verb, "--socket", socket, "of the containerd that is meant, where there are several")
      ->type_name(kFileValue);
}

void add_change(CLI::App& parent, Session& session, int& exit_code, Verb kind, const char* name,
                const char* what, std::initializer_list<const char*> lines) {
  auto* verb = add_verb(parent, name, what);
  verb->footer(examples(lines));
  const auto options = std::make_shared<Options>();
  add_switch(*verb, "--dry-run", options->dry_run, "show what would change, and change nothing");
  add_socket(*verb, options->socket);
  if (kind != Verb::kUninstall) {
    add_value(*verb, "--from", options->from,
              "the folder of the programs (default: that of this one)")
        ->type_name(kFileValue);
    add_value(*verb, "--bin-dir", options->bin_dir,
              "where they go (default: where they are, if containerd looks there, else "
              "/usr/local/bin)")
        ->type_name(kFileValue);
    add_value(*verb, "--handler", options->handler,
              "the name that a RuntimeClass gives (default: ward)");
  }
  add_value(*verb, "--restart-command", options->restart_command,
            "what restarts containerd, for a node without systemd")
      ->type_name("COMMAND");
  add_value(
      *verb, "--wait",
      [options](const std::uint64_t& seconds) {
        options->patience = std::chrono::seconds(seconds);
      },
      "seconds to wait for containerd (default: 60)")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 3600));
  verb->callback([&session, &exit_code, options, kind, name] {
    exit_code = run(session, *options, kind, name);
  });
}

void add_doctor(CLI::App& parent, Session& session, int& exit_code) {
  auto* verb =
      add_verb(parent, "doctor",
               "What this node lacks for Ward, and what to do; changes nothing, and ends with 6 "
               "where there is a problem");
  verb->footer(examples({"ward node doctor", "ward node doctor -o json"}));
  const auto socket = std::make_shared<std::filesystem::path>();
  add_socket(*verb, *socket);
  verb->callback([&session, &exit_code, socket] {
    const auto findings = node::all_findings(node::read_node(session.places, *socket));
    session.print(session.json ? json_text(findings_json(findings))
                               : findings_text(findings, session.out));
    exit_code = count(findings, node::Level::kProblem) > 0 ? kExitProblems : kExitOk;
  });
}

void add_node_status(CLI::App& parent, Session& session, int& exit_code) {
  auto* verb =
      add_verb(parent, "status",
               "What is installed here, and whether it still is; ends with 6 where it is not");
  verb->footer(examples({"ward node status", "ward node status -o json"}));
  const auto socket = std::make_shared<std::filesystem::path>();
  add_socket(*verb, *socket);
  verb->callback([&session, &exit_code, socket] {
    const auto facts = node::read_node(session.places, *socket);
    auto findings = node::ward_findings(facts);
    if (!facts.daemon)
      findings.push_back({node::Level::kProblem, "containerd-missing", "containerd",
                          facts.daemon_error, "start containerd, or name its socket"});
    session.print(session.json ? json_text(state_json(facts, findings))
                               : state_text(facts, findings, session.out));
    const bool installed = facts.record && facts.record->phase != node::Phase::kShimKept;
    exit_code = !installed || count(findings, node::Level::kProblem) > 0 ? kExitProblems : kExitOk;
  });
}

}  // namespace

void add_node(CLI::App& app, Session& session, int& exit_code) {
  auto* verb = add_verb(app, "node", "Put Ward on this node, take it off, and see how it is");
  verb->require_subcommand(1);
  verb->footer(examples({"ward node doctor", "ward node install --dry-run"}));
  add_change(
      *verb, session, exit_code, Verb::kInstall, "install",
      "Programs into their place, the handler into containerd's configuration, and a restart",
      {"ward node install --dry-run", "ward node install",
       "ward node install --restart-command 'sv restart containerd'"});
  add_change(*verb, session, exit_code, Verb::kUpgrade, "upgrade",
             "Another version in the place of the installed one; running pods keep theirs",
             {"ward node upgrade --from ./ward-0.2.0/bin"});
  add_change(*verb, session, exit_code, Verb::kUninstall, "uninstall",
             "Take the handler and the programs out again; the shim stays while a pod needs it",
             {"ward node uninstall --dry-run", "ward node uninstall"});
  add_doctor(*verb, session, exit_code);
  add_node_status(*verb, session, exit_code);
}

}  // namespace ward::cli
