// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/client_context.h>

#include <chrono>
#include <filesystem>
#include <memory>

#include "cli/app.h"
#include "cli/options.h"
#include "cli/out_option.h"
#include "cli/present/json_text.h"
#include "cli/present/runtime_text.h"
#include "cli/profile_file.h"
#include "cli/verbs.h"
#include "lib/base/named_output.h"
#include "lib/base/printable.h"
#include "lib/oci/bundle.h"
#include "profiles/canonical.h"
#include "profiles/compile.h"
#include "profiles/runtime_calls.h"

namespace ward::cli {
namespace {

struct Request {
  std::string path;
  std::string output;
  std::string format = "oci";
};

// What the filter allows the runtime, and where that is from.
struct Runtime {
  std::string title;    // of the one that was measured; empty: none was, or nobody answers
  std::string why_not;  // then
  profiles::RuntimeCalls calls = profiles::runtime_calls({});
};

// A filter can be compiled anywhere, so wardd is asked and not needed.
Runtime ask_for_runtime(Session& session) {
  constexpr std::chrono::seconds kPatience{2};
  grpc::ClientContext context;
  context.set_deadline(deadline(kPatience));
  ward::v1::NodeStatus status;
  Runtime out;
  if (const auto rpc = session.api().GetStatus(&context, {}, &status); !rpc.ok()) {
    out.why_not = "wardd does not answer";
    return out;
  }
  out.title = runtime_title(status.runtime());
  if (out.title.empty()) {
    out.why_not = "wardd has measured no runtime";
    return out;
  }
  const auto& calls = status.runtime().calls();
  out.calls = profiles::runtime_calls({calls.begin(), calls.end()});
  return out;
}

// In JSON the answer itself has it (CompiledFile).
void tell_runtime(Session& session, const Runtime& runtime) {
  if (runtime.title.empty()) {
    session.warn("the filter allows the runtime the calls of runc 1.1.5 to 1.3.6, because " +
                 runtime.why_not + ": another one may start no container under it");
    return;
  }
  if (session.json) return;
  session.say("the filter allows the runtime what was measured of " + runtime.title +
              ", and the calls of runc 1.1.5 to 1.3.6");
  std::string left_out;
  for (const auto& call : runtime.calls.left_out)
    left_out += (left_out.empty() ? "" : ", ") + printable(call);
  if (!left_out.empty())
    session.say("it does not allow the runtime " + left_out + ": they are in the danger set");
}

Result<std::string> compiled(const Request& request, const profiles::Profile& profile,
                             const Runtime& runtime) {
  if (request.format == "ward") {
    const auto rules = profiles::compile(profile);
    if (!rules) return tl::unexpected<Error>(rules.error());
    return profiles::seal(*rules).bytes;
  }
  const auto filter =
      profiles::compile_to_oci(profile,
                               request.format == "oci" ? profiles::Supervision::kUnsupervised
                                                       : profiles::Supervision::kSupervised,
                               runtime.calls);
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
  const bool for_others = request.format == "oci";
  const Runtime runtime = for_others ? ask_for_runtime(session) : Runtime{};
  const auto content = compiled(request, *profile, runtime);
  if (!content) return session.fail(content.error());
  if (request.output.empty()) {
    session.print(*content);
    if (for_others) tell_runtime(session, runtime);
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
    const nlohmann::ordered_json out = {
        {"schema", schema("CompiledFile")}, {"file", request.output},
        {"format", request.format},         {"digest", digest},
        {"runtime", runtime.title},         {"runtime_left_out", runtime.calls.left_out}};
    session.print(json_text(out));
  } else {
    session.say("wrote " + printable(request.output) + ": format " + request.format +
                ", profile digest " + short_digest(digest));
  }
  if (for_others) tell_runtime(session, runtime);
  return kExitOk;
}

}  // namespace

void add_profile_compile(CLI::App& profile, Session& session, int& exit_code) {
  auto* verb = add_verb(profile, "compile",
                        "Print the filter a profile becomes; needs no wardd, and "
                        "asks it what it measured of the runtime");
  const auto request = std::make_shared<Request>();
  verb->footer(examples({"ward profile compile web.yaml -o seccomp.json",
                         "ward profile compile --format ward web.yaml -o web.profile"}));
  add_value(*verb, "file", request->path, "profile YAML, - for standard input")
      ->required()
      ->type_name(kFileValue);
  add_out_option(*verb, session, [request](const std::string& file) { request->output = file; });
  add_value(*verb, "--format", request->format,
            "oci: linux.seccomp as JSON for use without Ward (EPERM), which allows what the "
            "node's runtime calls; supervised: as Ward installs it (NOTIFY); "
            "ward: the sealed rule table of <state>/compiled")
      ->check(one_of({"oci", "supervised", "ward"}));
  verb->callback([&session, &exit_code, request] { exit_code = run(session, *request); });
}

}  // namespace ward::cli
