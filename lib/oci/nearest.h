// SPDX-License-Identifier: Apache-2.0
// The "did you mean" of names: of all names offered those with the smallest edit distance (insert,
// remove, replace, swap two neighbours), letters of either case alike. A name that holds the word
// whole counts as little more than one edit: CAP_NET_RAW for net_raw. What is far from every name
// has no hint: a wrong one is worse than none.
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
  explicit Nearest(std::string_view misspelt) : wanted_(lower_case(misspelt.substr(0, 64))) {}

  void offer(std::string_view name) {
    const std::size_t d = distance(lower_case(name));
    if (d > best_distance_) return;
    if (d < best_distance_) best_.clear();
    best_distance_ = d;
    best_.emplace_back(name);
  }

  // " (did you mean 'read'?)", " (did you mean 'sendto' or 'sendmsg'?)"; empty where nothing is
  // near.
  [[nodiscard]] std::string hint() const {
    const auto names = near();
    std::string text;
    for (const std::string& name : names) {
      text += text.empty() ? " (did you mean '" : &name == &names.back() ? " or '" : ", '";
      text += name + "'";
    }
    return text.empty() ? text : text + "?)";
  }

  // Those that are as near, the shortest first, at most kMost; empty where nothing is near.
  [[nodiscard]] std::vector<std::string> near() const {
    // One slip in a short word, more in a long one.
    const std::size_t allowed =
        std::max(kHeldWhole, kEdit * std::min<std::size_t>(wanted_.size() / 3, 4));
    if (best_distance_ > allowed || best_distance_ >= kEdit * wanted_.size()) return {};
    std::vector<std::string> names = best_;
    std::stable_sort(names.begin(), names.end(),
                     [](const auto& a, const auto& b) { return a.size() < b.size(); });
    if (names.size() > kMost) names.resize(kMost);
    return names;
  }

 private:
  static constexpr std::size_t kEdit = 2, kHeldWhole = 3, kMost = 3;

  // As names of arguments and capabilities are written, '-' is '_'.
  static std::string lower_case(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      if (c == '-') c = '_';
    }
    return out;
  }

  [[nodiscard]] bool is_held_whole(const std::string& name) const {
    const std::size_t at = name.find(wanted_);
    if (at == std::string::npos) return false;
    return wanted_.size() >= 4 || (wanted_.size() == 3 && at > 0 && name[at - 1] == '_');
  }

  [[nodiscard]] std::size_t distance(const std::string& name) const {
    const std::size_t edits = kEdit * edit_distance(name);
    return is_held_whole(name) ? std::min(edits, kHeldWhole) : edits;
  }

  [[nodiscard]] std::size_t edit_distance(const std::string& name) const {
    std::vector<std::size_t> before_last(name.size() + 1), last(name.size() + 1),
        row(name.size() + 1);
    for (std::size_t j = 0; j <= name.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= wanted_.size(); ++i) {
      row[0] = i;
      for (std::size_t j = 1; j <= name.size(); ++j) {
        const bool same = wanted_[i - 1] == name[j - 1];
        row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0U : 1U)});
        const bool swapped =
            i > 1 && j > 1 && wanted_[i - 1] == name[j - 2] && wanted_[i - 2] == name[j - 1];
        if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
      std::swap(before_last, last);
      std::swap(last, row);
    }
    return last[name.size()];
  }

  std::string wanted_;
  std::vector<std::string> best_;
  std::size_t best_distance_ = std::numeric_limits<std::size_t>::max();
};

// The same for a short, fixed vocabulary: " (did you mean 'serving'?)".
template <typename Names>
std::string hint(std::string_view misspelt, const Names& names) {
  Nearest search(misspelt);
  for (const std::string_view name : names) search.offer(name);
  return search.hint();
}

}  // namespace ward::oci
