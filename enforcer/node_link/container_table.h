// SPDX-License-Identifier: Apache-2.0
// The containers of this node as their shims last described them. Values only: who calls it, and
// when a shim is gone, is the node service's business. Core loop only.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/result.h"
#include "ward/node/v1/node.pb.h"

namespace ward::enforcer {

struct ContainerEntry {
  node::v1::ContainerStatus status;
  int shim_pid = 0;
  std::string shim_address;
  std::string asked;  // by a person, and not seen to be done yet: for the journal
};

class ContainerTable {
 public:
  using Key = std::pair<std::string, std::string>;  // containerd namespace, container id

  // Told of every change: the state before (nothing: new) and after (nothing: gone).
  using Observer = std::function<void(const ContainerEntry* before, const ContainerEntry* after)>;
  void observe(Observer observer) { observer_ = std::move(observer); }

  // All containers of that shim are these, and no others.
  void replace_shim(int shim_pid, const std::string& address,
                    const std::vector<node::v1::ContainerStatus>& containers);
  void update(int shim_pid, const std::string& address, const node::v1::ContainerStatus& container);
  void remove_shim(const std::string& address);
  // A change of mode that a person asked for: the observer finds it in the entry in which it has
  // happened. Empty: no more.
  void expect_mode(const Key& key, const std::string& asked);

  // By its id or a name (container_name.h). An empty namespace matches any: kNotFound where there
  // is none, kFailedPrecondition with the list where there are several.
  [[nodiscard]] Result<ContainerEntry> find(const std::string& containerd_namespace,
                                            const std::string& name) const;
  [[nodiscard]] std::vector<ContainerEntry> list() const;
  [[nodiscard]] std::size_t count(node::v1::ContainerState state) const;
  [[nodiscard]] std::size_t partly_enforced() const;  // of those that have not stopped
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::set<std::string> profile_digests()
      const;  // of all containers that are not stopped

 private:
  void put(ContainerEntry entry);
  void erase(const Key& key);

  std::map<Key, ContainerEntry> entries_;
  Observer observer_;
};

}  // namespace ward::enforcer
