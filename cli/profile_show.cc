// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/app.h"
#include "cli/ask.h"
#include "cli/options.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"

namespace ward::cli {
namespace {

int run(Session& session, const std::string& name) {
  ward::v1::GetProfileRequest request;
  request.set_name(name);
  return ask(session, "profile show " + escape(name, 80), &ward::v1::Ward::Stub::GetProfile,
             request, [&](const auto& document) {
               const auto& s = document.summary();
               session.print("# digest " + s.digest() + ", " + std::to_string(s.syscalls()) +
                             " syscalls, " + std::to_string(s.capabilities()) + " capabilities, " +
                             std::to_string(s.used_by()) + " containers\n" + document.yaml());
             });
}

}  // namespace

void add_profile_show(CLI::App& profile, Session& session, int& exit_code) {
  auto* verb = add_verb(profile, "show", "A profile in force, as YAML");
  const auto name = std::make_shared<std::string>();
  verb->footer(examples({"ward profile show web", "ward profile show web -o json"}));
  add_value(*verb, "name", *name, "a name from `ward profile list`")
      ->required()
      ->type_name(kProfileValue);
  verb->callback([&session, &exit_code, name] { exit_code = run(session, *name); });
}

}  // namespace ward::cli
