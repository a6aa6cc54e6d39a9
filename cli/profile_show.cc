// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>

#include "cli/ask.h"
#include "cli/verbs.h"

namespace ward::cli {
namespace {

int run(Session& session, const std::string& name) {
  ward::v1::GetProfileRequest request;
  request.set_name(name);
  return ask(session, "profile show " + name, &ward::v1::Ward::Stub::GetProfile, request, [](const auto& document) {
    const auto& s = document.summary();
    std::printf("# digest %s, %u syscalls, %u capabilities, %u containers\n%s", s.digest().c_str(), s.syscalls(),
                s.capabilities(), s.used_by(), document.yaml().c_str());
  });
}

}  // namespace

void add_profile_show(CLI::App& profile, Session& session, int& exit_code) {
  auto* verb = profile.add_subcommand("show", "A profile in force, as YAML");
  const auto name = std::make_shared<std::string>();
  verb->add_option("name", *name, "a name from `ward profile list`")->required();
  verb->callback([&session, &exit_code, name] { exit_code = run(session, *name); });
}

}  // namespace ward::cli
