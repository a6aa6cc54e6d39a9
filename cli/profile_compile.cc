// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/profile_file.h"
#include "cli/verbs.h"
#include "lib/base/named_output.h"
#include "lib/oci/bundle.h"
#include "profiles/canonical.h"
#include "profiles/compile.h"

namespace ward::cli {
namespace {

struct Request {
  std::string path, output;
  std::string format = "oci";
};

Result<std::string> compiled(const Request& request, const profiles::Profile& profile) {
  if (request.format == "ward") {
    const auto rules = profiles::compile(profile);
    if (!rules) return tl::unexpected<Error>(rules.error());
    return profiles::seal(*rules).bytes;
  }
  const auto filter = profiles::compile_to_oci(
      profile, request.format == "oci" ? profiles::Supervision::kUnsupervised : profiles::Supervision::kSupervised);
  if (!filter) return tl::unexpected<Error>(filter.error());
  return oci::seccomp_to_json(*filter) + "\n";
}

int run(Session& session, const Request& request) {
  if (request.format == "ward" && request.output.empty()) {
    return session.refuse("profile compile: --format ward is binary: name a file with -o", kExitUsage);
  }
  const auto profile = read_profile_file(request.path);
  if (!profile) return session.fail(profile.error());
  const auto content = compiled(request, *profile);
  if (!content) return session.fail(content.error());
  if (request.output.empty()) {
    std::fwrite(content->data(), 1, content->size(), stdout);
    return kExitOk;
  }
  if (auto written = write_named_output(request.output, *content, 0644); !written) return session.fail(written.error());
  const std::string digest = profiles::digest(*profile);
  if (session.json) {
    using Json = nlohmann::ordered_json;
    const Json out = {{"file", request.output}, {"format", request.format}, {"digest", digest}};
    std::puts(out.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  } else {
    std::fprintf(stderr, "wrote %s: format %s, profile digest %s\n", request.output.c_str(), request.format.c_str(),
                 short_digest(digest).c_str());
  }
  return kExitOk;
}

}  // namespace

void add_profile_compile(CLI::App& profile, Session& session, int& exit_code) {
  auto* verb = profile.add_subcommand("compile", "Print the filter a profile becomes; needs no wardd");
  const auto request = std::make_shared<Request>();
  verb->add_option("file", request->path, "profile YAML, - for standard input")->required();
  verb->add_option("-o,--out", request->output, "where to write it; standard output without");
  verb->add_option("--format", request->format,
                   "oci: linux.seccomp as JSON for use without Ward (EPERM); supervised: as Ward installs it (NOTIFY); "
                   "ward: the sealed rule table of <state>/compiled")
      ->check(CLI::IsMember({"oci", "supervised", "ward"}));
  verb->callback([&session, &exit_code, request] { exit_code = run(session, *request); });
}

}  // namespace ward::cli
