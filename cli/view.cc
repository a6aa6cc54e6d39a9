// SPDX-License-Identifier: Apache-2.0
// `ward view`: the incidents of this node, and what is being learned, as pages: a folder, or served
// to this machine.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asio/signal_set.hpp>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <memory>

#include "cli/app.h"
#include "cli/incident/gather.h"
#include "cli/incident/page.h"
#include "cli/options.h"
#include "cli/present/json_text.h"
#include "cli/verbs.h"
#include "cli/view_server.h"
#include "lib/base/digest.h"
#include "lib/base/escape.h"
#include "lib/base/file.h"
#include "lib/base/printable.h"
#include "lib/base/unique_fd.h"
#include "lib/base/utf8.h"

namespace ward::cli {
namespace {

constexpr std::size_t kMaxPages = 200;
constexpr std::size_t kTokenBytes = 16;

// Only root, as the evidence itself. One that is there already must be nobody else's to write: who
// can replace a page shows what he likes, and a link leads the pages elsewhere.
Result<void> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return {};
  if (errno != EEXIST) return fail_errno("make " + escape(path, 300));
  const UniqueFd folder(::open(path.c_str(), O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC));
  struct stat status {};
  if (!folder || ::fstat(folder.get(), &status) != 0)
    return fail_errno("open " + escape(path, 300));
  if (status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  return fail(Code::kFailedPrecondition,
              escape(path, 300) +
                  " is another's, or others may write there: name a folder that is "
                  "yours alone");
}

int write_folder(Session& session, const std::string& path) {
  Gathered node(session);
  if (const auto asked = node.ask(); !asked.ok()) return session.fail("view", asked);
  const auto overview = node.overview(kMaxPages);
  if (!overview) return session.refuse("view: " + overview.error().message, kExitFailed);
  if (auto made = make_folder(path); !made) return session.fail(made.error());
  const std::filesystem::path folder(path);
  for (const Incident& incident : overview->incidents) {
    const std::string page = incident_page(node.complete(incident.event));
    if (auto written = write_file_atomically(folder / page_name(incident.event), page, 0600,
                                             Durability::kNone);
        !written)
      return session.fail(written.error());
  }
  if (auto written = write_file_atomically(folder / "index.html", overview_page(*overview), 0600,
                                           Durability::kNone);
      !written)
    return session.fail(written.error());
  const std::string index = (folder / "index.html").string();
  if (session.json) {
    session.print(json_text({{"schema", schema("View")},
                             {"index", to_utf8(index)},
                             {"incidents", overview->incidents.size()},
                             {"address", ""}}));
  } else {
    session.print("wrote " + printable(index) + ": " + std::to_string(overview->incidents.size()) +
                  " incidents\n");
  }
  return kExitOk;
}

// "" is the overview. What wardd does not answer is no page, and the next request asks again.
Result<std::string> make_page(Session& session, const std::string& page) {
  Gathered node(session);
  if (const auto asked = node.ask(); !asked.ok()) {
    session.connect_again();
    return fail(Code::kUnavailable, "wardd does not answer");
  }
  if (page.empty()) {
    const auto overview = node.overview(kMaxPages);
    if (!overview) return tl::unexpected<Error>(overview.error());
    return overview_page(*overview);
  }
  for (const ward::v1::Event& event : node.incidents())
    if (page_name(event) == page) return incident_page(node.complete(event));
  return fail(Code::kNotFound, "no such incident");
}

int serve(Session& session, std::uint16_t port) {
  // Nobody should wait at an address for what cannot be shown.
  if (const auto asked = Gathered(session).ask(); !asked.ok()) return session.fail("view", asked);
  asio::io_context loop;
  ViewServer server(loop, random_hex(kTokenBytes),
                    [&session](const std::string& page) { return make_page(session, page); });
  if (auto listening = server.listen(port); !listening) return session.fail(listening.error());
  if (session.json) {
    session.print(json_text({{"schema", schema("View")},
                             {"index", ""},
                             {"incidents", 0},
                             {"address", server.address()}},
                            JsonForm::kLine));
  } else {
    session.print(server.address() + "\n");
    session.say("only this machine can ask, and who knows the address; it ends with Ctrl-C");
  }
  if (auto written = session.output.flush(); !written) return session.fail(written.error());
  asio::signal_set ends(loop, SIGINT, SIGTERM);
  ends.async_wait([&loop](const asio::error_code&, int) { loop.stop(); });
  loop.run();
  return kExitOk;
}

struct Asked {
  std::string folder;
  std::uint16_t port = 0;
};

}  // namespace

void add_view(CLI::App& app, Session& session, int& exit_code) {
  auto* verb = add_verb(
      app, "view",
      "Incidents, and what is being learned, as pages: a folder, or served to this machine");
  verb->footer(examples({"ward view --out pages", "ward view --serve 8080"}));
  const auto asked = std::make_shared<Asked>();
  auto* out = add_value(*verb, "--out", asked->folder, "the folder to write, for root alone")
                  ->type_name(kFileValue);
  auto* served = add_value(*verb, "--serve", asked->port,
                           "on 127.0.0.1, at an address that nobody can guess; a port, or "
                           "any that is free")
                     ->expected(0, 1);
  out->excludes(served);
  verb->callback([&session, &exit_code, asked, served] {
    if (served->count() > 0) {
      exit_code = serve(session, asked->port);
    } else if (!asked->folder.empty()) {
      exit_code = write_folder(session, asked->folder);
    } else {
      exit_code = session.refuse("view: --out FOLDER or --serve: which?", kExitUsage);
    }
  });
}

}  // namespace ward::cli
