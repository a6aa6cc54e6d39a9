// SPDX-License-Identifier: Apache-2.0
// Ids are types: a StrongId<Tag> is a string that cannot be passed where another kind of id is meant.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <utility>

namespace ward {

template <typename Tag>
class StrongId {
 public:
  StrongId() = default;
  explicit StrongId(std::string value) : value_(std::move(value)) {}
  [[nodiscard]] const std::string& str() const { return value_; }
  [[nodiscard]] bool empty() const { return value_.empty(); }
  auto operator<=>(const StrongId&) const = default;

 private:
  std::string value_;
};

}  // namespace ward

template <typename Tag>
struct std::hash<ward::StrongId<Tag>> {
  size_t operator()(const ward::StrongId<Tag>& id) const noexcept { return std::hash<std::string>{}(id.str()); }
};
