// SPDX-License-Identifier: Apache-2.0
#include "cli/man.h"
#include "cli/options.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include "cli/app.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"
#include "lib/base/file.h"
#include "lib/base/named_output.h"
#include "lib/man/man_page.h"

namespace ward::cli {
namespace {

std::vector<const CLI::App*> verbs_of(const CLI::App& root) {
  return root.get_subcommands([](const CLI::App*) { return true; });
}

man::Section exit_status() {
  man::Section section{"EXIT STATUS", "", {}};
  for (const auto& [code, meaning] : kExitCodes)
    section.items.push_back({std::to_string(code), meaning});
  return section;
}

man::Section environment() {
  man::Section section{"ENVIRONMENT", "", {}};
  for (const auto& [variable, place, what] : kPlaceVariables)
    section.items.push_back({variable, std::string(what) + "; without it `" + place + "`"});
  section.items.push_back({"NO_COLOR", "no colours; without it only a terminal gets them"});
  return section;
}

std::string root_page(const CLI::App& root, const std::string& date) {
  man::Page page{"ward", 1, kAbout, true, {exit_status(), environment()}, {}};
  page.sections.push_back({"FILES",
                           "",
                           {{"/run/ward/api/api.sock", "where wardd answers"},
                            {"/etc/ward", "profiles, policies and wardd.yaml"}}});
  page.see_also = {"wardd(8)", "containerd-shim-ward-v1(8)"};
  return man::page_of(root, page, date);
}

std::string page_name(const CLI::App& verb) { return "ward-" + verb.get_name(); }

int write_all_pages(const CLI::App& root, const std::filesystem::path& directory,
                    Session& session) {
  const std::string date = man::page_date();
  const auto write = [&](const std::string& name, const CLI::App& verb) {
    return write_named_output(directory / (name + ".1"), man_page_of(verb, date), 0644);
  };
  if (auto written = write("ward", root); !written) return session.fail(written.error());
  for (const CLI::App* verb : verbs_of(root)) {
    if (auto written = write(page_name(*verb), *verb); !written)
      return session.fail(written.error());
  }
  return kExitOk;
}

int print_page(const CLI::App& root, const std::string& name, Session& session) {
  if (name.empty()) {
    session.print(man_page_of(root, man::page_date()));
    return kExitOk;
  }
  for (const CLI::App* verb : verbs_of(root)) {
    if (verb->get_name() != name) continue;
    session.print(man_page_of(*verb, man::page_date()));
    return kExitOk;
  }
  return session.refuse("no verb '" + escape(name) + "' has a page: see `ward help`", kExitUsage);
}

}  // namespace

std::string man_page_of(const CLI::App& verb, const std::string& date) {
  const CLI::App* root = verb.get_parent();
  if (root == nullptr) return root_page(verb, date);
  man::Page page{page_name(verb), 1, verb.get_description(), false, {}, {"ward(1)"}};
  page.sections.push_back({"EVERY VERB",
                           "The options of ward(1) may stand behind the verb, too: `-o json` is "
                           "the answer for programs.",
                           {}});
  page.sections.push_back(exit_status());
  return man::page_of(verb, page, date);
}

void add_man(CLI::App& app, Session& session, int& exit_code) {
  auto* verb = add_verb(app, "man", "Print a manual page, for man(1) to show");
  verb->footer(examples({"ward man", "ward man learn", "ward man --directory man1"}));
  const auto name = std::make_shared<std::string>();
  const auto directory = std::make_shared<std::string>();
  add_value(*verb, "verb", *name, "whose; ward's own without")->type_name(kVerbValue);
  add_value(*verb, "--directory", *directory, "write all pages there instead")
      ->type_name(kFileValue);
  verb->callback([&app, &session, &exit_code, name, directory] {
    exit_code = directory->empty() ? print_page(app, *name, session)
                                   : write_all_pages(app, *directory, session);
  });
}

}  // namespace ward::cli
