// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdio>
#include <string_view>

#include "cli/ask.h"
#include "cli/verbs.h"
#include "lib/base/clock.h"
#include "lib/base/escape.h"

namespace ward::cli {
namespace {

// wardd sets what it took, but a person may not have meant, apart from what it refused.
constexpr std::size_t kMaxBytes = 1000;
constexpr std::string_view kWarning = "warning: ";

void line(const char* name, const std::string& value) { std::printf("%-12s %s\n", name, value.c_str()); }

void print(const Style& style, const ward::v1::NodeStatus& status) {
  line("wardd", status.version() + ", up " + age(status.started_wall_ns(), wall_ns()));
  const bool records = status.recorder().rfind("none", 0) != 0;
  line("recorder", records ? style.good(status.recorder()) : style.warn(status.recorder()));
  if (!status.processes().empty()) {
    const bool seen = status.processes().rfind("none", 0) != 0;
    const std::string what = "deaths by the filter and use of capabilities in every process";
    line("watch",
         seen ? style.good(what + ", reaction while wardd runs") : style.warn(what + ": " + status.processes()));
  }
  line("containers",
       std::to_string(status.containers()) + " under " + std::to_string(status.shims()) + " shims, " +
           std::to_string(status.recording()) + " recording, " +
           (status.partly_enforced() == 0
                ? ""
                : style.warn(std::to_string(status.partly_enforced()) + " only partly enforced") + ", ") +
           (status.quarantined() == 0 ? "0 quarantined"
                                      : style.bad(std::to_string(status.quarantined()) + " quarantined")));
  line("profiles", std::to_string(status.profiles()) + ", policies " + std::to_string(status.policies()) +
                       ", index generation " + std::to_string(status.index_generation()));
  line("events",
       std::to_string(status.events()) +
           (status.dropped() == 0 ? "" : style.warn(", details dropped " + std::to_string(status.dropped()))));
  const auto expired = [&](const char* why) {
    const auto found = status.expired().find(why);
    return found == status.expired().end() ? std::uint64_t{0} : found->second;
  };
  if (expired("age") + expired("share") + expired("number") > 0) {
    line("expired", std::to_string(expired("age")) + " events of age, " + std::to_string(expired("share")) +
                        " of the workloads that held most, " + std::to_string(expired("number")) + " of all");
  }
  for (const auto& runtime : status.runtimes()) line("runtime", runtime);
  for (const auto& problem : status.problems()) {
    const bool warning = problem.rfind(kWarning, 0) == 0;
    line(warning ? "warning" : "problem", warning ? style.warn(escape(problem.substr(kWarning.size()), kMaxBytes))
                                                  : style.bad(escape(problem, kMaxBytes)));
  }
}

int run(Session& session) {
  return ask(session, "status", &ward::v1::Ward::Stub::GetStatus, {},
             [&](const auto& status) { print(session.out, status); });
}

}  // namespace

void add_status(CLI::App& app, Session& session, int& exit_code) {
  app.add_subcommand("status", "What wardd is doing, and what it refused")->callback([&] { exit_code = run(session); });
}

}  // namespace ward::cli
