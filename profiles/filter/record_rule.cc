// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/record_rule.h"

#include <algorithm>

#include "lib/base/escape.h"

namespace ward::filter {
namespace {

constexpr std::size_t kMaxPatternBytes = 1024;

std::vector<std::string> parts_of(std::string_view pattern) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t slash = pattern.find('/');
    parts.emplace_back(pattern.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    pattern.remove_prefix(slash + 1);
  }
}

}  // namespace

Result<std::vector<node::v1::Selector>> selectors_of(std::string_view pattern) {
  const std::vector<std::string> parts = parts_of(pattern);
  const bool empty =
      std::any_of(parts.begin(), parts.end(), [](const std::string& part) { return part.empty(); });
  if (empty || parts.size() > 3 || pattern.size() > kMaxPatternBytes) {
    return fail(Code::kInvalidArgument,
                "'" + escape(pattern, 80) +
                    "' names nothing: NAME, NAMESPACE/POD, NAMESPACE/POD/CONTAINER, or "
                    "containerd's NAMESPACE/ID; '*' is any run of characters");
  }
  node::v1::Selector first;
  node::v1::Selector second;
  if (parts.size() == 1) {
    first.add_containers(parts[0]);
    second.add_pods(parts[0]);
    return std::vector{first, second};
  }
  first.add_kubernetes_namespaces(parts[0]);
  first.add_pods(parts[1]);
  if (parts.size() == 3) {
    first.add_containers(parts[2]);
    return std::vector{first};
  }
  second.add_containerd_namespaces(parts[0]);
  second.add_containers(parts[1]);
  return std::vector{first, second};
}

Reach reach(const node::v1::RecordRule& rule, const node::v1::Identity& identity) {
  Reach widest = Reach::kNo;
  for (const node::v1::Selector& selector : rule.selectors())
    widest = std::max(widest, reach(selector, identity));
  return widest;
}

}  // namespace ward::filter
