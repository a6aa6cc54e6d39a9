// SPDX-License-Identifier: Apache-2.0
// What the node lets run of itself, in the compiled files. Not through the files of people: what
// they say stays as it is.
#include <algorithm>

#include "enforcer/store/profile_store.h"

namespace ward::enforcer {
namespace {

bool are_same(const profiles::Overlays& a, const profiles::Overlays& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& one, const auto& other) {
    return one.first == other.first &&
           profiles::digest(one.second) == profiles::digest(other.second);
  });
}

}  // namespace

Result<void> ProfileStore::set_overlays(profiles::Overlays overlays) {
  if (are_same(overlays, overlays_)) return {};
  if (!in_force_) {
    overlays_ = std::move(overlays);
    return {};
  }
  profiles::Resolved changed;
  changed.index = in_force_->index;
  changed.files = in_force_->files;
  if (auto laid = profiles::change_overlays(changed, overlays_, overlays); !laid)
    return fail_with("amendments of this node", laid.error());
  auto next = make_in_force(std::move(changed), in_force_->index.generation() + 1);
  if (!next) return fail_with("amendments of this node", next.error());
  if (auto written = compiled_.write(*next, &*in_force_); !written)
    return fail_with("amendments of this node", written.error());
  in_force_ = std::move(*next);
  overlays_ = std::move(overlays);
  stamp_ = compiled_.stamp();
  trouble_.clear();
  return {};
}

void ProfileStore::find_amendable() {
  amendable_.emplace();
  for (const LoadedProfile& loaded : profiles_) {
    const auto terms = profiles::amend_terms(amend_rules_, loaded.profile.name);
    if (terms.amend)
      (*amendable_)[loaded.digest] = {loaded.profile.name, *terms.amend, loaded.profile.posture};
  }
}

}  // namespace ward::enforcer
