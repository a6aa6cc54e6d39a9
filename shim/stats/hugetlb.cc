// SPDX-License-Identifier: Apache-2.0
#include "shim/stats/hugetlb.h"

namespace ward::shim::stats {

std::vector<std::string> hugetlb_sizes(const std::filesystem::path& cgroup,
                                       std::string_view suffix) {
  constexpr std::string_view kPrefix = "hugetlb.";
  std::vector<std::string> sizes;
  std::error_code error;
  for (std::filesystem::directory_iterator at(cgroup, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename();
    if (name.size() <= kPrefix.size() + suffix.size() || !name.starts_with(kPrefix) ||
        !name.ends_with(suffix))
      continue;
    auto size = name.substr(kPrefix.size(), name.size() - kPrefix.size() - suffix.size());
    if (size.find('.') == std::string::npos) sizes.push_back(std::move(size));
  }
  return sizes;
}

}  // namespace ward::shim::stats
