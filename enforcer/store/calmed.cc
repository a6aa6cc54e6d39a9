// SPDX-License-Identifier: Apache-2.0
// Storm guards in the index. Not through the files: what policies say stays as it is.
#include <algorithm>

#include "enforcer/store/profile_store.h"
#include "lib/base/log.h"

namespace ward::enforcer {

Result<void> ProfileStore::put_calmed(const node::v1::Calmed& calmed) {
  if (!in_force_) return fail(Code::kFailedPrecondition, "nothing is in force on this node");
  auto all = in_force_->index.calmed();
  const auto there = std::find_if(all.begin(), all.end(), [&](const node::v1::Calmed& one) {
    return one.workload() == calmed.workload();
  });
  if (there == all.end() && static_cast<std::size_t>(all.size()) >= kMaxCalmed)
    return fail(Code::kResourceExhausted,
                std::to_string(all.size()) + " storm guards are in force already");
  (there == all.end() ? *all.Add() : *there) = calmed;
  return rewrite_index([&](node::v1::CompiledIndex& index) { *index.mutable_calmed() = all; });
}

std::vector<node::v1::Calmed> ProfileStore::calmed() const {
  if (!in_force_) return {};
  const auto& all = in_force_->index.calmed();
  return {all.begin(), all.end()};
}

std::vector<std::string> ProfileStore::end_calmed(std::int64_t now_wall_ns) {
  std::vector<std::string> over;
  if (!in_force_) return over;
  auto all = in_force_->index.calmed();
  const auto gone = std::remove_if(all.begin(), all.end(), [&](const node::v1::Calmed& one) {
    return one.until_wall_ns() <= now_wall_ns;
  });
  if (gone == all.end()) return over;
  for (const node::v1::Calmed& one : in_force_->index.calmed())
    if (one.until_wall_ns() <= now_wall_ns) over.push_back(one.workload());
  all.erase(gone, all.end());
  const auto written =
      rewrite_index([&](node::v1::CompiledIndex& index) { *index.mutable_calmed() = all; });
  if (written) return over;
  // No shim obeys it any more. What is not written now is tried again.
  log::warn("a storm guard that is over stays in the index", {{"error", written.error().message}});
  return {};
}

}  // namespace ward::enforcer
