// SPDX-License-Identifier: Apache-2.0
#include "shim/guard/watched_container.h"

#include <sys/random.h>

#include <algorithm>

#include "lib/base/log.h"
#include "lib/linux/bpf_map.h"
#include "lib/linux/process_info.h"
#include "lib/oci/capabilities.h"
#include "profiles/filter/watch_maps.h"
#include "profiles/filter/watch_pins.h"

namespace ward::shim::guard {
namespace {

template <std::size_t Size>
void put_text(char (&field)[Size],
              const std::string& text) {  // NOLINT(*-avoid-c-arrays): the map's layout
  std::copy_n(text.begin(), std::min(text.size(), Size - 1), static_cast<char*>(field));
}

std::uint64_t random_key() {
  std::uint64_t key = 0;
  while (key == 0) {
    if (::getrandom(&key, sizeof(key), 0) != static_cast<ssize_t>(sizeof(key))) key = 0;
  }
  return key;
}

std::uint64_t bits_of(const oci::CapabilitySet& capabilities) {
  std::uint64_t bits = 0;
  for (const std::string& name : capabilities) {
    if (const auto number = oci::find_capability(name); number && *number < 64)
      bits |= std::uint64_t{1} << *number;
  }
  return bits;
}

Result<void> put_container(const GuardedContainer& container, const std::filesystem::path& pins,
                           std::uint64_t key) {
  auto map = BpfMap::open(pins / "watched", sizeof(key), sizeof(ward_watched));
  if (!map) return tl::unexpected<Error>(map.error());
  ward_watched who{};
  put_text(who.containerd_namespace, container.admitted.identity.containerd_namespace());
  put_text(who.container_id, container.id);
  put_text(who.profile, container.admitted.profile->name);
  put_text(who.digest, container.admitted.profile->digest);
  return map->put(&key, &who);
}

Result<void> put_init(const GuardedContainer& container, const std::filesystem::path& pins,
                      bool exec, pid_t init) {
  auto map = BpfMap::open(pins / "inits", sizeof(std::uint32_t), sizeof(ward_watch_init));
  if (!map) return tl::unexpected<Error>(map.error());
  const auto stat = read_stat(init);
  if (!stat) return tl::unexpected<Error>(stat.error());
  ward_watch_init entry{};
  entry.container = container.watch_key;
  entry.start_ticks = stat->start_time_ticks;
  entry.capabilities = bits_of(container.admitted.uncut_capabilities);
  entry.cut = bits_of(container.admitted.cut_capabilities);
  // A session that starts after a switch to enforce is cut; the container goes on as it began.
  if (exec && container.mode() == node::v1::MODE_ENFORCE) entry.cut |= entry.capabilities;
  entry.exec = exec ? 1 : 0;
  entry.gains = container.admitted.uncut_privileges ? 1 : 0;
  const auto number = static_cast<std::uint32_t>(init);
  return map->put(&number, &entry);
}

}  // namespace

void announce_for_watching(GuardedContainer& container, const Places& places,
                           const std::string& exec_id, pid_t init) {
  if (!container.admitted.profile) return;
  const std::filesystem::path pins = filter::watch_pins(places);
  Result<void> announced;
  if (container.watch_key == 0) {
    const std::uint64_t key = random_key();
    announced = put_container(container, pins, key);
    if (announced) container.watch_key = key;
  }
  if (announced) announced = put_init(container, pins, !exec_id.empty(), init);
  if (announced || announced.error().code == Code::kNotFound) return;
  log::warn("nobody watches the container's processes",
            {{"id", container.id}, {"error", announced.error().message}});
}

}  // namespace ward::shim::guard
