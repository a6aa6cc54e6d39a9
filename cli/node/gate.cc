// SPDX-License-Identifier: Apache-2.0
#include "cli/node/gate.h"

#include <set>

namespace ward::cli::node {
namespace {

const KeyPath kVersion2 = {"plugins", "io.containerd.grpc.v1.cri", "containerd", "runtimes"};
const KeyPath kVersion3 = {"plugins", "io.containerd.cri.v1.runtime", "containerd", "runtimes"};
const KeyPath kVersion1 = {"plugins", "cri", "containerd", "runtimes"};

bool has_any_below(const Settings& settings, const KeyPath& above) {
  const auto at = settings.lower_bound(above);
  return at != settings.end() && is_below(at->first, above);
}

std::set<std::string> runtimes_of(const Settings& settings) {
  std::set<std::string> names;
  const KeyPath above = runtimes_in_dump(settings);
  if (above.empty()) return names;
  for (auto at = settings.lower_bound(above); at != settings.end() && is_below(at->first, above);
       ++at)
    if (at->first.size() > above.size()) names.insert(at->first[above.size()]);
  return names;
}

}  // namespace

std::vector<Difference> differences(const Settings& before, const Settings& after) {
  std::vector<Difference> found;
  const auto add = [&found](const KeyPath& path, const std::string& old, const std::string& now) {
    if (path == KeyPath{"imports"}) return;
    found.push_back({key_text(path), old, now, path});
  };
  for (const auto& [path, value] : before) {
    const auto now = after.find(path);
    if (now == after.end()) {
      add(path, value, "");
    } else if (now->second != value) {
      add(path, value, now->second);
    }
  }
  for (const auto& [path, value] : after)
    if (before.find(path) == before.end()) add(path, "", value);
  return found;
}

std::vector<Difference> besides(const std::vector<Difference>& all, const KeyPath& ours) {
  std::vector<Difference> others;
  for (const Difference& one : all)
    if (!is_below(one.path, ours)) others.push_back(one);
  return others;
}

std::string difference_text(const std::vector<Difference>& differences) {
  std::string text;
  for (const Difference& one : differences) {
    if (!one.before.empty()) text += "- " + one.key + " = " + one.before + "\n";
    if (!one.after.empty()) text += "+ " + one.key + " = " + one.after + "\n";
  }
  return text;
}

KeyPath runtimes_in_dump(const Settings& dump) {
  for (const KeyPath& path : {kVersion3, kVersion2, kVersion1}) {
    if (has_any_below(dump, {path[0], path[1], path[2]})) return path;
  }
  return {};
}

KeyPath runtimes_in_file(int version) {
  return version >= 3 ? kVersion3 : version == 2 ? kVersion2 : kVersion1;
}

KeyPath joined(KeyPath above, const std::string& key) {
  above.push_back(key);
  return above;
}

std::vector<std::string> defaults_to(const Settings& dump, const std::string& handler) {
  KeyPath above = runtimes_in_dump(dump);
  if (above.empty()) return {};
  above.back() = "default_runtime_name";
  if (text_at(dump, above) != handler) return {};
  return {key_text(above)};
}

std::vector<std::string> defaults_by_type(const Settings& dump) {
  std::vector<std::string> found;
  KeyPath above = runtimes_in_dump(dump);
  if (above.empty()) return found;
  for (const char* table : {"default_runtime", "untrusted_workload_runtime"}) {
    above.back() = table;
    const KeyPath type = joined(above, "runtime_type");
    if (text_at(dump, type) == kRuntimeType) found.push_back(key_text(type));
  }
  return found;
}

std::vector<std::string> ward_handlers(const Settings& dump) {
  std::vector<std::string> found;
  const KeyPath above = runtimes_in_dump(dump);
  for (const std::string& name : runtimes_of(dump))
    if (text_at(dump, joined(joined(above, name), "runtime_type")) == kRuntimeType)
      found.push_back(name);
  return found;
}

bool has_runtime(const Settings& dump, const std::string& handler) {
  const KeyPath above = runtimes_in_dump(dump);
  return !above.empty() && has_any_below(dump, joined(above, handler));
}

std::vector<std::string> lost_runtimes(const Settings& before, const Settings& after) {
  const auto now = runtimes_of(after);
  std::vector<std::string> lost;
  for (const std::string& name : runtimes_of(before))
    if (now.count(name) == 0) lost.push_back(name);
  return lost;
}

}  // namespace ward::cli::node
