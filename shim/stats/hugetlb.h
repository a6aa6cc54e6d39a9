// SPDX-License-Identifier: Apache-2.0
// Which sizes of huge pages a cgroup counts: both versions say so by the names of its files.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ward::shim::stats {

// "2MB" of hugetlb.2MB.current, with the suffix ".current". Files of reservations
// (hugetlb.2MB.rsvd.current) are left out: no message has a place for them.
std::vector<std::string> hugetlb_sizes(const std::filesystem::path& cgroup,
                                       std::string_view suffix);

}  // namespace ward::shim::stats
