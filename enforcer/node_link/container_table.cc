// SPDX-License-Identifier: Apache-2.0
#include "enforcer/node_link/container_table.h"

#include <algorithm>

#include "enforcer/node_link/container_name.h"
#include "lib/base/escape.h"

namespace ward::enforcer {
namespace {

ContainerTable::Key key_of(const node::v1::ContainerStatus& status) {
  return {status.identity().containerd_namespace(), status.identity().container_id()};
}

}  // namespace

void ContainerTable::put(ContainerEntry entry) {
  const Key key = key_of(entry.status);
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    auto added = entries_.emplace(key, std::move(entry)).first;
    if (observer_) observer_(nullptr, &added->second);
    return;
  }
  const bool waits = entry.status.mode() == found->second.status.mode();
  entry.asked = found->second.asked;
  std::swap(found->second, entry);
  if (observer_) observer_(&entry, &found->second);
  if (!waits) found->second.asked.clear();
}

void ContainerTable::expect_mode(const Key& key, const std::string& asked) {
  if (const auto found = entries_.find(key); found != entries_.end()) found->second.asked = asked;
}

void ContainerTable::erase(const Key& key) {
  auto found = entries_.find(key);
  if (found == entries_.end()) return;
  const ContainerEntry gone = std::move(found->second);
  entries_.erase(found);
  if (observer_) observer_(&gone, nullptr);
}

void ContainerTable::replace_shim(int shim_pid, const std::string& address,
                                  const std::vector<node::v1::ContainerStatus>& containers) {
  std::set<Key> present;
  for (const auto& status : containers) present.insert(key_of(status));
  std::vector<Key> gone;
  for (const auto& [key, entry] : entries_) {
    if (entry.shim_address == address && present.count(key) == 0) gone.push_back(key);
  }
  for (const Key& key : gone) erase(key);
  for (const auto& status : containers) update(shim_pid, address, status);
}

void ContainerTable::update(int shim_pid, const std::string& address,
                            const node::v1::ContainerStatus& container) {
  if (container.state() == node::v1::CONTAINER_STATE_GONE) {
    // A successor under the same id may have another shim already: only its own shim may take it
    // away.
    auto found = entries_.find(key_of(container));
    if (found != entries_.end() && found->second.shim_address == address) erase(key_of(container));
    return;
  }
  put({container, shim_pid, address, {}});
}

void ContainerTable::remove_shim(const std::string& address) {
  std::vector<Key> gone;
  for (const auto& [key, entry] : entries_) {
    if (entry.shim_address == address) gone.push_back(key);
  }
  for (const Key& key : gone) erase(key);
}

Result<ContainerEntry> ContainerTable::find(const std::string& containerd_namespace,
                                            const std::string& name) const {
  // An id of one container is no name of another: a pod chooses its names.
  for (const bool by_id : {true, false}) {
    std::vector<const ContainerEntry*> found;
    for (const auto& [key, entry] : entries_) {
      if (!containerd_namespace.empty() && key.first != containerd_namespace) continue;
      if (by_id ? key.second == name : is_named(entry.status.identity(), name))
        found.push_back(&entry);
    }
    if (found.size() == 1) return *found.front();
    if (found.empty()) continue;
    std::string list;
    for (const ContainerEntry* entry : found) list += "\n  " + full_name(entry->status.identity());
    return fail(Code::kFailedPrecondition, "'" + escape(name) + "' names " +
                                               std::to_string(found.size()) +
                                               " containers: say which, as namespace/id:" + list);
  }
  return fail(Code::kNotFound,
              "no container '" + escape(name) + "' runs under Ward" +
                  (containerd_namespace.empty()
                       ? ""
                       : " in the containerd namespace '" + escape(containerd_namespace) + "'") +
                  ": `ward ps` shows them");
}

std::vector<ContainerEntry> ContainerTable::list() const {
  std::vector<ContainerEntry> all;
  all.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) all.push_back(entry);
  return all;
}

std::size_t ContainerTable::count(node::v1::ContainerState state) const {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(),
                    [&](const auto& item) { return item.second.status.state() == state; }));
}

std::size_t ContainerTable::partly_enforced() const {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(), [](const auto& item) {
        return !item.second.status.partly().empty() &&
               item.second.status.state() != node::v1::CONTAINER_STATE_STOPPED;
      }));
}

std::set<std::string> ContainerTable::profile_digests() const {
  std::set<std::string> digests;
  for (const auto& [key, entry] : entries_) {
    if (entry.status.state() != node::v1::CONTAINER_STATE_STOPPED)
      digests.insert(entry.status.profile_digest());
  }
  digests.erase("");
  return digests;
}

}  // namespace ward::enforcer
