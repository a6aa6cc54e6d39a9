// SPDX-License-Identifier: Apache-2.0
#include "enforcer/command_line.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>

#include "lib/base/commit.h"
#include "lib/man/man_page.h"

namespace ward::enforcer {
namespace {

constexpr const char* kAbout = "the node daemon of Ward";
constexpr const char* kDoes = "Records, compiles profiles, keeps the journal, serves the API.";
constexpr const char* kSignals =
    "SIGTERM and SIGINT stop it, SIGHUP reads configuration, profiles and policies again.";
constexpr const char* kAway =
    "Containers that are enforced stay so while wardd is away; their violations are journalled "
    "when it is back.";
constexpr std::array<std::pair<int, const char*>, 4> kExitCodes = {
    {{0, "stopped by a signal"},
     {kExitFailure, "it could not start or go on"},
     {kExitUsage, "wrong usage"},
     {kExitSecondInstance, "another wardd serves this run or state directory"}}};

std::string footer() {
  std::string text = "Signals: " + std::string(kSignals) + "\n" + kAway + "\nExit status: ";
  for (const auto& [code, meaning] : kExitCodes)
    text += (code == 0 ? "" : ", ") + std::to_string(code) + " " + meaning;
  return text + ".";
}

}  // namespace

std::unique_ptr<CLI::App> make_app(CommandLine& to) {
  auto app = std::make_unique<CLI::App>("wardd: " + std::string(kAbout) + ". " + kDoes);
  app->name("wardd");
  app->footer(footer());
  app->add_option("--config-dir", to.places.config, "profiles/, policies/ and wardd.yaml are here")
      ->capture_default_str()
      ->envname("WARD_CONFIG_DIR");
  app->add_option("--state-dir", to.places.state, "journal, compiled profiles, spool and evidence")
      ->capture_default_str()
      ->envname("WARD_STATE_DIR");
  app->add_option("--run-dir", to.places.run, "sockets")
      ->capture_default_str()
      ->envname("WARD_RUN_DIR");
  app->add_option("--ready-fd", to.ready_fd,
                  "write \"ready\" and a newline to this descriptor when the sockets are served")
      ->check(CLI::Range(3, 1 << 20));
  app->add_flag("-v,--verbose", to.verbose, "log more");
  app->set_version_flag("--version", std::string("wardd " WARD_VERSION " (") + commit() + ")");
  app->add_flag("--man", to.man, "print the manual page, for man(1) to show");
  return app;
}

std::string man_page_of(const CLI::App& app, const std::string& date) {
  man::Page page{"wardd", 8, kAbout, false, {}, {"ward(1)", "containerd-shim-ward-v1(8)"}};
  page.sections = {
      {"SIGNALS", std::string(kSignals) + " " + kAway, {}},
      {"EXIT STATUS", "", {}},
      {"ENVIRONMENT",
       "What systemd sets for a service:",
       {{"NOTIFY_SOCKET", "told when the sockets are served, how wardd is, and that it stops"},
        {"WATCHDOG_USEC", "told twice in that time that the core loop turns"},
        {"JOURNAL_STREAM", "where it is standard error, the log goes to systemd's journal"}}},
      {"FILES",
       "",
       {{"/etc/ward/wardd.yaml", "settings, all optional"},
        {"/etc/ward/profiles, /etc/ward/policies", "what is in force"},
        {"/var/lib/ward/compiled", "what shims read at each start"},
        {"/run/ward/api/api.sock", "for ward(1)"},
        {"/run/ward/node.sock", "for shims"}}}};
  for (const auto& [code, meaning] : kExitCodes)
    page.sections[1].items.push_back({std::to_string(code), meaning});
  return man::page_of(app, page, date);
}

}  // namespace ward::enforcer
