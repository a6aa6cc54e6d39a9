// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <memory>

#include "cli/app.h"
#include "cli/out_option.h"
#include "cli/present/json_text.h"
#include "cli/profile_file.h"
#include "cli/verbs.h"
#include "lib/base/named_output.h"
#include "lib/base/printable.h"
#include "lib/oci/bundle.h"
#include "profiles/canonical.h"
#include "profiles/compile.h"

namespace ward::cli {
namespace {

struct Request {
  std::string path;
  std::string output;
  std::string format = "oci";
};

Result<std::string> compiled(const Request& request, const profiles::Profile& profile) {
  if (request.format == "ward") {
    const auto rules = profiles::compile(profile);
    if (!rules) return tl::unexpected<Error>(rules.error());
    return profiles::seal(*rules).bytes;
  }
  const auto filter = profiles::compile_to_oci(profile, request.format == "oci"
                                                            ? profiles::Supervision::kUnsupervised
                                                            : profiles::Supervision::kSupervised);
  if (!filter) return tl::unexpected<Error>(filter.error());
  return oci::seccomp_to_json(*filter) + "\n";
}

int run(Session& session, const Request& request) {
  if (request.format == "ward" && request.output.empty()) {
    return session.refuse("profile compile: --format ward is binary: name a file with -o",
                          kExitUsage);
  }
  const auto profile = read_profile_file(request.path);
  if (!profile) return session.fail(profile.error());
  const auto content = compiled(request, *profile);
  if (!content) return session.fail(content.error());
  if (request.output.empty()) {
    session.print(*content);
    return kExitOk;
  }
  std::error_code error;
  if (std::filesystem::equivalent(request.path, request.output, error)) {
    return session.refuse("profile compile: '" + request.output +
                              "' is the profile itself: name another file with -o",
                          kExitUsage);
  }
  if (auto written = write_named_output(request.output, *content, 0644); !written)
    return session.fail(written.error());
  const std::string digest = profiles::digest(*profile);
  if (session.json) {
    const nlohmann::ordered_json out = {{"schema", schema("CompiledFile")},
                                        {"file", request.output},
                                        {"format", request.format},
                                        {"digest", digest}};
    session.print(json_text(out));
  } else {
    session.say("wrote " + printable(request.output) + ": format " + request.format +
                ", profile digest " + short_digest(digest));
  }
  return kExitOk;
}

}  // namespace

void add_profile_compile(CLI::App& profile, Session& session, int& exit_code) {
  auto* verb =
      profile.add_subcommand("compile", "Print the filter a profile becomes; needs no wardd");
  const auto request = std::make_shared<Request>();
  verb->footer(examples({"ward profile compile web.yaml -o seccomp.json",
                         "ward profile compile --format ward web.yaml -o web.profile"}));
  verb->add_option("file", request->path, "profile YAML, - for standard input")
      ->required()
      ->type_name(kFileValue);
  add_out_option(*verb, session, [request](const std::string& file) { request->output = file; });
  verb->add_option("--format", request->format,
                   "oci: linux.seccomp as JSON for use without Ward (EPERM); supervised: as Ward "
                   "installs it (NOTIFY); "
                   "ward: the sealed rule table of <state>/compiled")
      ->check(CLI::IsMember({"oci", "supervised", "ward"}));
  verb->callback([&session, &exit_code, request] { exit_code = run(session, *request); });
}

}  // namespace ward::cli
