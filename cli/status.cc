// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "cli/app.h"
#include "cli/ask.h"
#include "cli/options.h"
#include "cli/present/runtime_text.h"
#include "cli/present/sampling_text.h"
#include "cli/verbs.h"
#include "lib/base/clock.h"
#include "lib/base/printable.h"

namespace ward::cli {
namespace {

// wardd sets what it took, but a person may not have meant, apart from what it refused.
constexpr std::size_t kMaxBytes = 1000;
constexpr std::string_view kWarning = "warning: ";

bool is_warning(const std::string& problem) { return problem.rfind(kWarning, 0) == 0; }

void print(Session& session, const ward::v1::NodeStatus& status, const std::string& amended) {
  const Style& style = session.out;
  const auto line = [&session](const std::string& name, const std::string& value) {
    session.print(name + std::string(13 - name.size(), ' ') + value + "\n");
  };
  line("wardd", status.version() + ", up " + age(status.started_wall_ns(), wall_ns()));
  const bool records = status.recorder().rfind("none", 0) != 0;
  line("recorder", records ? style.good(status.recorder()) : style.warn(status.recorder()));
  if (!status.processes().empty()) {
    const bool seen = status.processes().rfind("none", 0) != 0;
    const std::string what = "deaths by the filter and use of capabilities in every process";
    line("watch", seen ? style.good(what + ", reaction while wardd runs")
                       : style.warn(what + ": " + status.processes()));
  }
  line("free calls", sampling_text(status.sampling(), wall_ns(), style));
  if (!status.newest_call().empty()) {
    line("calls", "named to " + status.newest_call() + "; newer ones are answered ENOSYS, and " +
                      (records ? "seen in mode learn only" : style.warn("not seen by anybody")));
  }
  line("containers",
       std::to_string(status.containers()) + " under " + std::to_string(status.shims()) +
           " shims, " + std::to_string(status.recording()) + " recording, " +
           (status.partly_enforced() == 0
                ? ""
                : style.warn(std::to_string(status.partly_enforced()) + " only partly enforced") +
                      ", ") +
           (status.quarantined() == 0
                ? "0 quarantined"
                : style.bad(std::to_string(status.quarantined()) + " quarantined")));
  line("profiles", std::to_string(status.profiles()) + ", policies " +
                       std::to_string(status.policies()) + ", index generation " +
                       std::to_string(status.index_generation()));
  if (!amended.empty()) line("amended", style.warn(amended));
  line("events", std::to_string(status.events()) +
                     (status.dropped() == 0
                          ? ""
                          : style.warn(", details dropped " + std::to_string(status.dropped()))));
  const auto expired = [&](const char* why) {
    const auto found = status.expired().find(why);
    return found == status.expired().end() ? std::uint64_t{0} : found->second;
  };
  if (expired("age") + expired("share") + expired("number") > 0) {
    line("expired", std::to_string(expired("age")) + " events of age, " +
                        std::to_string(expired("share")) + " of the workloads that held most, " +
                        std::to_string(expired("number")) + " of all");
  }
  if (const std::string runtime = runtime_text(status.runtime(), style); !runtime.empty())
    line("runtime", runtime);
  for (const auto& problem : status.problems()) {
    const bool warning = is_warning(problem);
    line(warning ? "warning" : "problem",
         warning ? style.warn(printable(problem.substr(kWarning.size()), kMaxBytes))
                 : style.bad(printable(problem, kMaxBytes)));
  }
}

// Asked for apart: an older wardd does not know the question, and has none.
std::string amended(Session& session) {
  grpc::ClientContext context;
  context.set_deadline(deadline());
  ward::v1::ListAmendmentsResponse answer;
  if (!session.api().ListAmendments(&context, {}, &answer).ok() || answer.amendments().empty())
    return "";
  return std::to_string(answer.amendments_size()) +
         (answer.amendments_size() == 1 ? " call runs" : " calls run") +
         " besides the profiles: `ward amend list`";
}

int run(Session& session) {
  ward::v1::NodeStatus answer;
  const int exit_code = ask(
      session, "status", &ward::v1::Ward::Stub::GetStatus, {},
      [&](const auto& status) { print(session, status, amended(session)); }, &answer);
  const bool well = std::all_of(answer.problems().begin(), answer.problems().end(), is_warning);
  return exit_code == kExitOk && !well ? int{kExitProblems} : exit_code;
}

}  // namespace

void add_status(CLI::App& app, Session& session, int& exit_code) {
  add_verb(app, "status",
           "What wardd is doing, and what it refused; ends with 6 where there is a problem")
      ->footer(examples({"ward status", "ward status -o json"}))
      ->callback([&] { exit_code = run(session); });
}

}  // namespace ward::cli
