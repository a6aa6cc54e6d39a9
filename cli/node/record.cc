// SPDX-License-Identifier: Apache-2.0
#include "cli/node/record.h"

#include <fcntl.h>
#include <sys/file.h>

#include <array>

#include "lib/base/file.h"
#include "lib/json/json.h"

namespace ward::cli::node {
namespace fs = std::filesystem;
namespace {

constexpr int kFormat = 1;
constexpr std::array<std::string_view, 4> kPhases = {"installing", "installed", "removing",
                                                     "removed but for the shim"};
constexpr std::array<std::string_view, 4> kWays = {"none", "block", "drop-in", "template"};

template <typename Enum, std::size_t N>
Enum from_word(const std::array<std::string_view, N>& words, const std::string& given) {
  for (std::size_t i = 0; i < N; ++i)
    if (words[i] == given) return static_cast<Enum>(i);
  return static_cast<Enum>(0);
}

std::string text_of(const Record& r) {
  const nlohmann::ordered_json document = {{"format", kFormat},
                                           {"phase", word(r.phase)},
                                           {"version", r.version},
                                           {"handler", r.handler},
                                           {"way", word(r.way)},
                                           {"socket", r.daemon.socket.string()},
                                           {"containerd", r.daemon.program.string()},
                                           {"called", r.daemon.called},
                                           {"state", r.daemon.state.string()},
                                           {"config", r.daemon.config.string()},
                                           {"config_named", r.daemon.config_named},
                                           {"unit", r.daemon.unit},
                                           {"written", r.written.string()},
                                           {"created", r.created},
                                           {"block", r.block},
                                           {"options", r.options.string()},
                                           {"bin_dir", r.bin_dir.string()},
                                           {"programs", r.programs},
                                           {"made", r.made},
                                           {"kept", r.kept},
                                           {"previous_block", r.previous_block},
                                           {"previous_version", r.previous_version},
                                           {"stale_daemon", r.stale_daemon}};
  return document.dump(2, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

Record from_document(const nlohmann::json& document) {
  const auto text = [&document](const char* key) { return document.at(key).get<std::string>(); };
  Record r;
  r.phase = from_word<Phase>(kPhases, text("phase"));
  r.version = text("version");
  r.handler = text("handler");
  r.way = from_word<Way>(kWays, text("way"));
  r.daemon.socket = text("socket");
  r.daemon.program = text("containerd");
  // An older record has none of these.
  r.daemon.called = document.value("called", "");
  r.daemon.state = document.value("state", "");
  r.made = document.value("made", std::vector<std::string>());
  r.kept = document.value("kept", std::vector<std::string>());
  r.daemon.config = text("config");
  r.daemon.config_named = document.at("config_named").get<bool>();
  r.daemon.unit = text("unit");
  r.written = text("written");
  r.created = text("created");
  r.block = text("block");
  r.options = text("options");
  r.bin_dir = text("bin_dir");
  r.programs = document.at("programs").get<std::vector<std::string>>();
  r.previous_block = text("previous_block");
  r.previous_version = text("previous_version");
  r.stale_daemon = text("stale_daemon");
  return r;
}

}  // namespace

std::string_view word(Phase phase) { return kPhases[static_cast<std::size_t>(phase)]; }
std::string_view word(Way way) { return kWays[static_cast<std::size_t>(way)]; }

std::string identity(const Daemon& daemon) {
  return std::to_string(daemon.pid) + ":" + std::to_string(daemon.start_time_ticks);
}

fs::path record_path(const Places& places) { return places.state / "node.json"; }

Result<std::optional<Record>> read_record(const Places& places) {
  const auto text = read_file(record_path(places));
  if (!text && text.error().code == Code::kNotFound) return std::optional<Record>();
  if (!text) return tl::unexpected(text.error());
  const auto document = parse_json<nlohmann::json>(*text);
  const std::string path = record_path(places).string();
  if (!document.is_object() || document.value("format", 0) != kFormat)
    return fail(Code::kFailedPrecondition,
                "'" + path +
                    "' is not a record that this ward understands: use the ward that "
                    "wrote it, or move it away and run `ward node doctor`");
  try {
    return std::optional<Record>(from_document(document));
  } catch (const nlohmann::json::exception& error) {
    return fail(Code::kFailedPrecondition, "'" + path + "' is damaged (" + error.what() +
                                               "): move it away and run `ward node doctor`");
  }
}

Result<void> write_record(const Places& places, const Record& record) {
  std::error_code error;
  fs::create_directories(places.state, error);
  if (error) return fail_errno("make '" + places.state.string() + "'", error.value());
  return write_file_atomically(record_path(places), text_of(record), 0600);
}

Result<void> remove_record(const Places& places) {
  std::error_code error;
  fs::remove(record_path(places), error);
  if (error) return fail_errno("remove '" + record_path(places).string() + "'", error.value());
  return {};
}

Result<UniqueFd> lock_node(const Places& places) {
  std::error_code error;
  fs::create_directories(places.state, error);
  const fs::path path = places.state / "node.lock";
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return fail_errno("open '" + path.string() + "'");
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno("lock '" + path.string() + "'");
    return fail(Code::kFailedPrecondition,
                "another `ward node` is at work on this node: wait for it to end");
  }
  return file;
}

}  // namespace ward::cli::node
