// SPDX-License-Identifier: Apache-2.0
// A new version of a profile reaches containers that run under an older one: at once, as far as it
// allows more. Their shims do it; what it takes away waits for the next start. Core loop only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "enforcer/journal/journal.h"
#include "enforcer/node_link/container_table.h"
#include "enforcer/node_link/shim_links.h"
#include "enforcer/store/profile_version.h"

namespace ward::enforcer {

// It runs, and is judged by a profile.
bool runs_under_a_profile(const node::v1::ContainerStatus& status);

class Widening {
 public:
  // Of a profile's name; nothing where none is in force.
  using Find = std::function<const ProfileVersion*(const std::string& profile)>;

  Widening(ContainerTable& containers, ShimLinks& shims, Journal& journal)
      : containers_(containers), shims_(shims), journal_(journal) {}

  // Asks the shims of all containers that run under another version. Each is asked once for each
  // version, and once more where it did not answer: a shim that cannot says why, the journal keeps
  // it, and the next start brings it.
  // Returns how many were asked now.
  std::size_t look(const Find& find);

 private:
  void answered(const ContainerTable::Key& key, const ContainerEntry& before,
                const ProfileVersion& version, const Result<std::string>& answer);

  ContainerTable& containers_;
  ShimLinks& shims_;
  Journal& journal_;
  std::map<ContainerTable::Key, std::string> asked_;  // the digest it was asked to take
  std::set<std::pair<ContainerTable::Key, std::string>> tried_again_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace ward::enforcer
