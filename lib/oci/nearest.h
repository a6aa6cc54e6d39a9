// SPDX-License-Identifier: Apache-2.0
// The "did you mean" of names: of all names offered the one with the smallest edit distance (insert, remove, replace,
// swap two neighbours). A name of which only the end is missing counts as one edit away.
#pragma once

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace ward::oci {

class Nearest {
 public:
  // A name from a file can be of any length; the first 64 characters decide.
  explicit Nearest(std::string_view misspelt) : wanted_(misspelt.substr(0, 64)) {}

  void offer(std::string_view name) {
    const std::size_t d = distance(name);
    if (d >= best_distance_) return;
    best_distance_ = d;
    best_ = name;
  }
  [[nodiscard]] const std::string& best() const { return best_; }

 private:
  [[nodiscard]] std::size_t distance(std::string_view name) const {
    if (wanted_.size() > 4 && name.substr(0, wanted_.size()) == wanted_) return 1;
    std::vector<std::size_t> before_last(name.size() + 1), last(name.size() + 1), row(name.size() + 1);
    for (std::size_t j = 0; j <= name.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= wanted_.size(); ++i) {
      row[0] = i;
      for (std::size_t j = 1; j <= name.size(); ++j) {
        const bool same = wanted_[i - 1] == name[j - 1];
        row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0U : 1U)});
        const bool swapped = i > 1 && j > 1 && wanted_[i - 1] == name[j - 2] && wanted_[i - 2] == name[j - 1];
        if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
      std::swap(before_last, last);
      std::swap(last, row);
    }
    return last[name.size()];
  }

  std::string wanted_;
  std::string best_;
  std::size_t best_distance_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace ward::oci
