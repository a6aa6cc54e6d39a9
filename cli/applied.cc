// SPDX-License-Identifier: Apache-2.0
// `ward applied`: which filters are in force in a container, as the kernel has them.
#include "cli/applied/applied.h"

#include <grpcpp/client_context.h>

#include <memory>

#include "cli/app.h"
#include "cli/applied/spec_filter.h"
#include "cli/incident/gather.h"
#include "cli/options.h"
#include "cli/present/json_text.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"
#include "lib/linux/cgroup.h"
#include "lib/linux/pidfd.h"

namespace ward::cli {
namespace {

constexpr std::chrono::seconds kPatience{2};

struct Asked {
  std::string container;
  bool no_attach = false;
};

// Of what stands still nothing is to be disturbed, and it could not stop for us either.
std::string why_not_attach(const ward::v1::Container& container) {
  if (container.state() == "QUARANTINED" || container.state() == "PAUSED")
    return "it is frozen (" + escape(container.state()) + "), and is left alone";
  if (container.state() != "RUNNING" || container.pid() <= 0)
    return "its program does not run (" + escape(container.state()) + ")";
  if (const auto cgroups = open_cgroups_of(container.pid())) {
    for (const auto* cgroup : {&cgroups->unified, &cgroups->freezer}) {
      if (!cgroup->has_value()) continue;
      const auto frozen = (*cgroup)->is_frozen();
      if (frozen && *frozen) return "its cgroup is frozen, and it is left alone";
    }
  }
  return "";
}

// The process, held by a descriptor: that it is still the container's is asked again behind it.
Result<LoadedFilters> read_back(Session& session, const ward::v1::Container& container) {
  const auto pidfd = open_pidfd(container.pid());
  if (!pidfd) return tl::unexpected<Error>(pidfd.error());
  Gathered again(session);
  if (const auto asked = again.ask_containers(); !asked.ok())
    return fail(static_cast<Code>(asked.error_code()), asked.error_message());
  const auto now = again.find_container(container.containerd_namespace() + "/" + container.id());
  if (!now || now->pid() != container.pid()) return fail(Code::kNotFound, "it has ended");
  if (std::string why = why_not_attach(*now); !why.empty())
    return fail(Code::kFailedPrecondition, std::move(why));
  return read_loaded_filters(container.pid(), *pidfd, kPatience);
}

int run(Session& session, const Asked& asked) {
  Gathered node(session);
  if (const auto status = node.ask_containers(); !status.ok())
    return session.fail("applied", status);
  const auto container = node.find_container(asked.container);
  if (!container) return session.refuse("applied: " + container.error().message, kExitFailed);
  Applied applied;
  applied.container = *container;
  applied.why_not_kernel = asked.no_attach ? "--no-attach was given" : why_not_attach(*container);
  std::vector<SeccompProgram> loaded;
  if (applied.why_not_kernel.empty()) {
    auto read = read_back(session, *container);
    applied.from_kernel = read.has_value();
    if (read) {
      loaded = std::move(read->programs);
      applied.more_filters = read->more;
      applied.thread = read->tid;
    }
    if (!read) applied.why_not_kernel = read.error().message;
  }
  std::vector<SeccompProgram> programs;
  const auto bundle =
      find_bundle(container->shim_pid(), container->containerd_namespace(), container->id());
  auto spec = bundle ? read_spec_filter(*bundle) : tl::unexpected<Error>(bundle.error());
  applied.spec_found = spec.has_value();
  if (spec) {
    applied.spec_has_filter = spec->has_filter;
    applied.spec_file = spec->file.string();
    programs = std::move(spec->programs);
  } else {
    applied.why_no_spec = spec.error().message;
  }
  judge(applied, loaded, programs);
  session.print(session.json ? json_text(to_json(applied)) : applied_text(applied, session.out));
  if (!applied.from_kernel && !applied.spec_found) return kExitFailed;
  return applied.agreement == Agreement::kDifferent ? kExitDifferent : kExitOk;
}

}  // namespace

void add_applied(CLI::App& app, Session& session, int& exit_code) {
  auto* verb = add_verb(app, "applied",
                        "Which filters are in force in a container, read back from the kernel");
  verb->footer(examples({"ward applied web-1", "ward applied shop/cart/app -o json",
                         "ward applied web-1 --no-attach"}));
  const auto asked = std::make_shared<Asked>();
  add_value(*verb, "container", asked->container, "its id, namespace/id, or as `ward ps` shows it")
      ->required()
      ->type_name(kContainerValue);
  add_switch(*verb, "--no-attach", asked->no_attach,
             "do not stop its first process for some microseconds; show its spec alone");
  verb->callback([&session, &exit_code, asked] { exit_code = run(session, *asked); });
}

}  // namespace ward::cli
