// SPDX-License-Identifier: Apache-2.0
// <state>/compiled/index.2, looked up: what governs one container is found without reading the
// rest, so that a start costs the same with one rule and with thousands. Damage is an error of
// whatever reads it (kInvalidArgument). Used by shims at every start, and by wardd to see what
// shims would see.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "profiles/filter/block_file.h"
#include "profiles/filter/index_layout.h"
#include "ward/node/v1/compiled.pb.h"
#include "ward/node/v1/types.pb.h"

namespace ward::filter {

struct Governing {
  std::optional<node::v1::Rule> rule;  // the first that selects the container, without its selector
  // Where none does: the first that would, were the container not exempt (I10), and what exempts
  // it.
  std::optional<node::v1::Rule> left_alone_by;
  std::string exempt_as;
};

class IndexReader {
 public:
  static Result<IndexReader> open(
      const std::filesystem::path& path);  // kNotFound where there is none
  static Result<IndexReader> open(UniqueFd fd);

  [[nodiscard]] std::uint64_t generation() const { return head_.generation(); }
  [[nodiscard]] const node::v1::NodeSettings& settings() const { return head_.settings(); }
  [[nodiscard]] const node::v1::ProfileRef& baseline() const { return head_.baseline(); }
  // What people asked to be recorded, also of what is over: profiles/filter/record_rule.h.
  [[nodiscard]] const google::protobuf::RepeatedPtrField<node::v1::RecordRule>& records() const {
    return head_.records();
  }
  // Storm guards in force, also those whose time has passed.
  [[nodiscard]] const google::protobuf::RepeatedPtrField<node::v1::Calmed>& calmed() const {
    return head_.calmed();
  }
  [[nodiscard]] std::uint64_t rules() const { return layout_.rules.items; }

  Result<Governing> find_governing(const node::v1::Identity& identity);
  Result<std::optional<node::v1::ProfileRef>> find_profile(const std::string& name);
  Result<node::v1::CompiledIndex> read_all();  // every byte of it

  [[nodiscard]] std::uint64_t looked_at() const {
    return looked_at_;
  }  // selectors so far: what a lookup costs

 private:
  IndexReader(BlockFile file, Layout layout, node::v1::CompiledIndex head)
      : file_(std::move(file)), layout_(layout), head_(std::move(head)) {}
  Result<std::string_view> item(const TablePlace& table, std::uint64_t number);
  Result<void> add_bucket(std::uint64_t bucket, std::vector<std::uint32_t>& rules);
  Result<std::vector<std::uint32_t>> candidates(const node::v1::Identity& identity);
  Result<node::v1::Rule> rule(std::uint64_t number);

  BlockFile file_;
  Layout layout_;
  node::v1::CompiledIndex head_;
  std::uint64_t looked_at_ = 0;
};

}  // namespace ward::filter
