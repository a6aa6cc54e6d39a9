// SPDX-License-Identifier: Apache-2.0
#include "shim/admission/written_filter.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "lib/base/digest.h"
#include "lib/base/fault.h"
#include "lib/linux/bounded_child.h"
#include "profiles/filter/written_filter.h"

namespace ward::shim::admission {
namespace {

// What the child hands back: names of calls, a line each, or why there is no program.
constexpr char kList = 'l';
constexpr char kRefused = 'r';

// To compile it some times and ask it; once for each filter.
constexpr Bounds kBounds{.processor_time = std::chrono::milliseconds(1000),
                         .wall_time = std::chrono::milliseconds(1500)};

std::string list_written_wrong(oci::Seccomp filter) {
  const auto wrong = filter::notify_what_is_written_wrong(filter, filter::RuntimeHabits{});
  if (!wrong) return kRefused + wrong.error().message;
  std::string list(1, kList);
  for (const std::string& name : *wrong) list += name + "\n";
  return list;
}

Result<std::string> list_under_a_bound(const oci::Seccomp& filter) {
  if (auto ok = fault::point("written-filter.compare"); !ok) return tl::unexpected(ok.error());
  auto list = run_in_bounded_child([&] { return list_written_wrong(filter); }, kBounds);
  if (!list) return list;
  if (list->empty() || list->front() != kList) {
    return fail(Code::kInvalidArgument,
                "the container's filter: " + list->substr(std::min<std::size_t>(1, list->size())));
  }
  return list->substr(1);
}

}  // namespace

Result<void> mend_what_is_written_wrong(oci::Seccomp& filter, const FilterCache& cache) {
  const bool conditional = std::any_of(filter.rules.begin(), filter.rules.end(),
                                       [](const auto& rule) { return !rule.args.empty(); });
  if (!conditional) return {};
  const std::string key =
      sha256_hex("written " + FilterCache::key(filter, filter::RuntimeHabits{}));
  auto list = cache.find_bytes(key);
  if (!list) {
    auto found = list_under_a_bound(filter);
    if (!found) return tl::unexpected(std::move(found).error());
    list = *std::move(found);
    cache.keep_bytes(key, *list);
  }
  std::vector<std::string> calls;
  std::istringstream lines(*list);
  for (std::string name; std::getline(lines, name);) calls.push_back(name);
  filter::notify_whole(filter, calls);
  return {};
}

}  // namespace ward::shim::admission
