// SPDX-License-Identifier: Apache-2.0
#include "shim/remains/cut_short.h"

#include <asio/steady_timer.hpp>
#include <chrono>
#include <memory>

#include "lib/base/log.h"
#include "lib/linux/cgroup.h"
#include "lib/linux/orphaned_cgroups.h"
#include "lib/oci/bundle.h"

namespace ward::shim::remains {
namespace {

// Cgroups of v1 announce nothing: they are tried again until nobody is in them.
constexpr std::chrono::milliseconds kBetweenTries{20};
constexpr int kTries = 100;

struct Removal : std::enable_shared_from_this<Removal> {
  Removal(asio::io_context& loop, OrphanedCgroups what, std::function<void()> then)
      : timer(loop), cgroups(std::move(what)), done(std::move(then)) {}
  void attempt(int left) {
    if (try_remove_cgroups(cgroups)) return done();
    if (left == 0) {
      log::warn("cgroups of a container that was never made are still in use",
                {{"cgroup", cgroups.all.front().string()}});
      return done();
    }
    timer.expires_after(kBetweenTries);
    timer.async_wait(
        [self = shared_from_this(), left](const asio::error_code&) { self->attempt(left - 1); });
  }
  asio::steady_timer timer;
  OrphanedCgroups cgroups;
  std::function<void()> done;
};

}  // namespace

void remove_unrecorded_cgroups(asio::io_context& loop, const std::string& bundle,
                               std::function<void()> done) {
  const auto config = oci::Config::read(bundle);
  auto cgroups = config ? find_cgroups(config->cgroups_path()) : OrphanedCgroups{};
  if (cgroups.all.empty()) return done();
  std::make_shared<Removal>(loop, std::move(cgroups), std::move(done))->attempt(kTries);
}

}  // namespace ward::shim::remains
