// SPDX-License-Identifier: Apache-2.0
// Requests of `ward record` in the index. Not through the files: what policies say stays as it is.
#include <algorithm>

#include "enforcer/store/profile_store.h"
#include "lib/base/log.h"
#include "profiles/filter/record_rule.h"

namespace ward::enforcer {

Result<void> ProfileStore::rewrite_index(
    const std::function<void(node::v1::CompiledIndex&)>& change) {
  profiles::Resolved same;
  same.index = in_force_->index;
  same.files = in_force_->files;
  change(same.index);
  auto next = make_in_force(std::move(same), in_force_->index.generation() + 1);
  if (!next) return tl::unexpected<Error>(next.error());
  if (auto written = compiled_.write(*next, nullptr); !written)
    return fail_with("compiled index", written.error());
  in_force_ = std::move(*next);
  stamp_ = compiled_.stamp();
  return {};
}

Result<bool> ProfileStore::put_record(const node::v1::RecordRule& rule) {
  if (!in_force_)
    return fail(Code::kFailedPrecondition,
                "nothing is in force on this node, so no container would be told: `ward status` "
                "says why");
  auto records = in_force_->index.records();
  const auto there = std::find_if(records.begin(), records.end(),
                                  [&](const auto& record) { return record.id() == rule.id(); });
  if (there == records.end() && static_cast<std::size_t>(records.size()) >= filter::kMaxRecordRules)
    return fail(Code::kResourceExhausted,
                std::to_string(records.size()) + " recordings are asked for already");
  if (there != records.end() && there->SerializeAsString() == rule.SerializeAsString())
    return false;
  (there == records.end() ? *records.Add() : *there) = rule;
  const auto written = rewrite_index(
      [&](node::v1::CompiledIndex& index) { *index.mutable_records() = std::move(records); });
  if (!written) return tl::unexpected<Error>(written.error());
  return true;
}

Result<void> ProfileStore::drop_record(const std::string& id) {
  if (!in_force_) return {};
  auto records = in_force_->index.records();
  const auto gone = std::remove_if(records.begin(), records.end(),
                                   [&](const auto& record) { return record.id() == id; });
  if (gone == records.end()) return {};
  records.erase(gone, records.end());
  return rewrite_index(
      [&](node::v1::CompiledIndex& index) { *index.mutable_records() = std::move(records); });
}

void ProfileStore::end_records(std::int64_t now_wall_ns) {
  if (!in_force_) return;
  std::vector<std::string> over;
  for (const auto& record : in_force_->index.records())
    if (record.until_wall_ns() <= now_wall_ns) over.push_back(record.id());
  for (const std::string& id : over) {
    // No shim obeys it any more. What is not written now is tried again.
    if (auto dropped = drop_record(id); !dropped)
      return log::warn("a recording that is over stays in the index",
                       {{"error", dropped.error().message}});
  }
}

}  // namespace ward::enforcer
