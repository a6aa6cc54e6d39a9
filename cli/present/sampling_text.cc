// SPDX-License-Identifier: Apache-2.0
#include "cli/present/sampling_text.h"

#include <array>
#include <cstdio>

#include "lib/base/escape.h"

namespace ward::cli {
namespace {

std::string percent(double share) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f %%", share * 100);
  return text.data();
}

std::string count(std::uint32_t containers) {
  return std::to_string(containers) + (containers == 1 ? " container" : " containers");
}

}  // namespace

std::string sampling_text(const ward::v1::Sampling& sampling, std::int64_t now_wall_ns,
                          const Style& style) {
  const std::string& why = sampling.why_not();
  if (sampling.containers() == 0)
    return "no container has any" + (why.empty() ? "" : ", nor would they be seen: " + escape(why));
  if (sampling.unwatched_wall_ns() != 0) {
    return style.warn("not watched for " + age(sampling.unwatched_wall_ns(), now_wall_ns) +
                      " (since " + local_time(sampling.unwatched_wall_ns()) + "), " +
                      count(sampling.containers()) + ": " +
                      (why.empty() ? "wardd has just started" : escape(why)));
  }
  return "watched " + percent(sampling.watched_share()) + " of the last hour, newest window " +
         age(sampling.last_wall_ns(), now_wall_ns) + " ago, " + count(sampling.containers());
}

}  // namespace ward::cli
