// SPDX-License-Identifier: Apache-2.0
// What Ward thinks of every system call (docs/harm-classes.md). Needs no wardd: the classes are
// part of the program.
#include <memory>

#include "cli/app.h"
#include "cli/options.h"
#include "cli/present/harm_text.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"
#include "lib/oci/nearest.h"

namespace ward::cli {
namespace {

struct Options {
  std::vector<std::string> calls;
  std::string harm;
  bool holes = false;
};

std::vector<std::string_view> known_names() {
  std::vector<std::string_view> names;
  for (const profiles::HarmCall& call : profiles::harm_calls()) names.push_back(call.name);
  return names;
}

int run(Session& session, const Options& options) {
  HarmSelection selection{options.calls, std::nullopt, options.holes};
  for (const std::string& name : options.calls) {
    if (profiles::find_harm_call(name) != nullptr) continue;
    return session.refuse("no class for '" + escape(name, 60) + "'" +
                              oci::hint(name, known_names()) + ": a call without one is reach",
                          kExitFailed);
  }
  const auto& words = profiles::harm_class_names();
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == options.harm) selection.harm = static_cast<profiles::HarmClass>(i);
  }
  const auto entries = select_harm(selection);
  if (session.json) {
    session.print(harm_json(entries));
  } else {
    const bool details = options.holes || !options.calls.empty();
    session.print(details ? harm_details(entries, session.out) : harm_table(entries, session.out));
  }
  return kExitOk;
}

}  // namespace

void add_syscalls(CLI::App& app, Session& session, int& exit_code) {
  auto* verb = add_verb(app, "syscalls", "Harm classes of system calls, and why; needs no wardd");
  verb->footer(examples({"ward syscalls openat keyctl", "ward syscalls --class danger",
                         "ward syscalls --holes -o json"}));
  const auto options = std::make_shared<Options>();
  add_value(*verb, "calls", options->calls, "names such as openat; none: all");
  const std::vector<std::string> words(profiles::harm_class_names().begin(),
                                       profiles::harm_class_names().end());
  add_value(*verb, "--class", options->harm, "only this class")->check(one_of(words));
  add_switch(*verb, "--holes", options->holes, "only what a known hole is named for");
  verb->callback([&session, &exit_code, options] { exit_code = run(session, *options); });
}

}  // namespace ward::cli
