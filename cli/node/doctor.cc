// SPDX-License-Identifier: Apache-2.0
#include "cli/node/doctor.h"

#include <set>

#include "cli/node/config_text.h"
#include "cli/node/find.h"
#include "cli/node/gate.h"
#include "cli/node/layout.h"
#include "cli/node/program.h"
#include "lib/base/file.h"
#include "lib/linux/unix_socket.h"

namespace ward::cli::node {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::seconds kPatience{10};

void read_containerd(NodeFacts& facts, const fs::path& socket) {
  facts.daemons = find_daemons(usual_sockets());
  auto daemon = find_daemon(socket, facts.record, false);
  if (!daemon) {
    facts.daemon_error = daemon.error().message;
    return;
  }
  facts.daemon = std::move(*daemon);
  std::error_code error;
  const bool there = fs::exists(facts.daemon->config, error);
  auto config = dump_config(*facts.daemon, there ? facts.daemon->config : fs::path());
  if (config) {
    facts.config = std::move(*config);
  } else {
    facts.config_error = config.error().message;
  }
  if (there) {
    const auto text = read_regular_file(facts.daemon->config);
    const auto file = text ? parse_settings(*text, "") : Result<Settings>(Settings());
    if (file) {
      const auto version = file->find({"version"});
      facts.config_version = version != file->end()             ? std::atoi(version->second.c_str())
                             : facts.daemon->version.major >= 2 ? 3
                                                                : 1;
    }
  }
  if (auto state = ask_cri(facts.daemon->socket)) facts.cri = std::move(*state);
  facts.created_tasks = tasks_in_created(*facts.daemon).value_or(std::vector<std::string>());
}

std::string find_in(const std::vector<fs::path>& folders, const std::string& name) {
  std::error_code error;
  for (const fs::path& folder : folders)
    if (fs::exists(folder / name, error)) return (folder / name).string();
  return "";
}

void read_runtimes(NodeFacts& facts) {
  if (!facts.daemon) return;
  for (const char* name : {"runc", "crun"}) {
    RuntimeFacts runtime{name, find_in(facts.daemon->search_path, name), ""};
    if (runtime.program.empty()) continue;
    if (const auto ran = run_program({runtime.program, "--version"}, kPatience))
      runtime.said = ran->out;
    facts.runtimes.push_back(std::move(runtime));
  }
}

void read_lost_shims(NodeFacts& facts, const fs::path& state) {
  std::set<std::string> lost;
  std::error_code error;
  const fs::path bundles = state / "io.containerd.runtime.v2.task";
  for (fs::directory_iterator spaces(bundles, error), end; !error && spaces != end;
       spaces.increment(error)) {
    std::error_code inner;
    for (fs::directory_iterator one(spaces->path(), inner); !inner && one != end;
         one.increment(inner)) {
      std::string named = read_file(one->path() / "shim-binary-path").value_or("");
      while (!named.empty() && named.back() == '\n') named.pop_back();
      std::error_code missing;
      if (!named.empty() && !fs::exists(named, missing)) lost.insert(named);
    }
  }
  facts.lost_shims.assign(lost.begin(), lost.end());
}

void read_ward(NodeFacts& facts, const Places& places) {
  facts.wardd_answers = connect_unix(places.api_socket()).has_value();
  const Daemon recorded = facts.record ? facts.record->daemon : Daemon();
  const fs::path state = state_of(facts.daemon.value_or(recorded), facts.config);
  read_lost_shims(facts, state);
  if (!facts.record) return;
  const Record& record = *facts.record;
  std::error_code error;
  facts.shim_there = fs::exists(record.bin_dir / kShim, error);
  facts.use = find_use(record.bin_dir / kShim, state);
  if (record.way != Way::kNone) {
    const auto text = read_regular_file(record.written);
    auto split =
        text ? split_block(*text, record.written.string()) : Result<FencedText>(FencedText());
    if (split) facts.block = std::move(split->block);
  }
  if (!facts.daemon) return;
  for (const fs::path& folder : facts.daemon->search_path) {
    if (fs::equivalent(folder, record.bin_dir, error)) break;
    if (fs::exists(folder / kShim, error)) {
      facts.other_shim = (folder / kShim).string();
      break;
    }
  }
}

}  // namespace

NodeFacts read_node(const Places& places, const fs::path& socket) {
  NodeFacts facts;
  facts.kernel = read_kernel(places);
  auto record = read_record(places);
  if (record) {
    facts.record = std::move(*record);
  } else {
    facts.record_error = record.error().message;
  }
  read_containerd(facts, socket);
  read_runtimes(facts);
  read_ward(facts, places);
  return facts;
}

Findings all_findings(const NodeFacts& facts) {
  Findings all = kernel_findings(facts.kernel);
  for (const auto& part :
       {containerd_findings(facts), runtime_findings(facts), ward_findings(facts)})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace ward::cli::node
