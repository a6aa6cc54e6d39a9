// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdio>
#include <memory>

#include "cli/profile_file.h"
#include "cli/verbs.h"
#include "lib/base/file.h"
#include "lib/oci/bundle.h"
#include "profiles/compile.h"

namespace ward::cli {
namespace {

struct Request {
  std::string path, output;
  std::string format = "oci";
};

Result<std::string> compiled(const Request& request) {
  const auto profile = read_profile_file(request.path);
  if (!profile) return tl::unexpected<Error>(profile.error());
  if (request.format == "ward") {
    const auto rules = profiles::compile(*profile);
    if (!rules) return tl::unexpected<Error>(rules.error());
    return profiles::seal(*rules).bytes;
  }
  const auto filter = profiles::compile_to_oci(
      *profile, request.format == "oci" ? profiles::Supervision::kUnsupervised : profiles::Supervision::kSupervised);
  if (!filter) return tl::unexpected<Error>(filter.error());
  return oci::seccomp_to_json(*filter) + "\n";
}

int run(Session& session, const Request& request) {
  if (request.format == "ward" && request.output.empty()) {
    std::fprintf(stderr, "%sprofile compile: --format ward is binary: name a file with -o\n",
                 session.err.bad("ward: ").c_str());
    return kExitUsage;
  }
  const auto content = compiled(request);
  if (!content) return session.fail(content.error());
  if (request.output.empty()) {
    std::fwrite(content->data(), 1, content->size(), stdout);
    return kExitOk;
  }
  if (auto written = write_file_atomically(request.output, *content, 0644); !written)
    return session.fail(written.error());
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
