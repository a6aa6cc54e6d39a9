// SPDX-License-Identifier: Apache-2.0
#include "cli/node/handler_block.h"

#include "cli/node/gate.h"

namespace ward::cli::node {

std::string block_text(const Handler& handler, int version, const Settings& before,
                       const std::vector<std::string>& carried) {
  const KeyPath runtimes = runtimes_in_file(version);
  const std::string table = key_text(joined(runtimes, handler.name));
  std::string text = "[" + table + "]\n  runtime_type = " + quoted_text(kRuntimeType) + "\n";
  if (!handler.shim.empty()) text += "  runtime_path = " + quoted_text(handler.shim) + "\n";
  if (!handler.options.empty())
    text += "[" + table + ".options]\n  ConfigPath = " + quoted_text(handler.options) + "\n";
  const KeyPath there = runtimes_in_dump(before);
  for (const std::string& name : carried) {
    text += "# containerd's own, which it forgets where a file names another one\n";
    text += tables_text(before, joined(there, name), joined(runtimes, name));
  }
  return text;
}

std::string options_text(const Settings& dump) {
  const KeyPath runtimes = runtimes_in_dump(dump);
  if (runtimes.empty()) return "";
  KeyPath above = runtimes;
  above.pop_back();
  std::string name = text_at(dump, joined(above, "default_runtime_name"));
  const std::string type = text_at(dump, joined(joined(runtimes, name), "runtime_type"));
  // Ward's own, which may be taken out of the reading.
  if (name.empty() || type.empty() || type == kRuntimeType) name = "runc";
  const KeyPath options = joined(joined(runtimes, name), "options");
  // Another runtime's options are not runc's.
  if (text_at(dump, joined(joined(runtimes, name), "runtime_type")) != "io.containerd.runc.v2")
    return "";
  std::string text;
  const auto systemd = dump.find(joined(options, "SystemdCgroup"));
  if (systemd != dump.end() && systemd->second == "true") text += "SystemdCgroup = true\n";
  const std::string binary = text_at(dump, joined(options, "BinaryName"));
  if (!binary.empty()) text += "BinaryName = " + quoted_text(binary) + "\n";
  return text;
}

bool is_handler_name(const std::string& name) {
  return !name.empty() && name.size() <= 63 && name.front() != '-' && name.back() != '-' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
}

}  // namespace ward::cli::node
