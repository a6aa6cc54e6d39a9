// SPDX-License-Identifier: Apache-2.0
#include "shim/links/violation_count.h"

#include <utility>

#include "lib/base/log.h"

namespace ward::shim::links {
namespace {

constexpr std::chrono::seconds kMakeAgain{1};

std::string describe(const node::v1::Identity& who) {
  std::string bytes = who.SerializeAsString();
  if (bytes.size() <= kMaxTallyAbout) return bytes;
  node::v1::Identity less;  // annotations may be of any size; a namespace and an id are not
  less.set_containerd_namespace(who.containerd_namespace());
  less.set_container_id(who.container_id());
  bytes = less.SerializeAsString();
  return bytes.size() <= kMaxTallyAbout ? bytes : std::string();
}

}  // namespace

SpoolOwner spool_owner(const node::v1::Identity& who, const std::string& profile) {
  return {who.containerd_namespace() + '\0' + who.kubernetes_namespace(),
          who.image() + '\0' + profile};
}

ViolationCount::ViolationCount(std::filesystem::path directory, std::string unique_name)
    : directory_(std::move(directory)),
      file_name_(std::move(unique_name) + std::string(kTallySuffix)) {}

void ViolationCount::make() {
  const auto now = std::chrono::steady_clock::now();
  if (now < make_again_) return;
  make_again_ = now + kMakeAgain;
  auto made = Tally::create(directory_ / file_name_, about_);
  if (!made)
    return log::error("violations are not counted on disk", {{"error", made.error().message}});
  tally_.emplace(std::move(*made));
  make_again_ = {};
}

void ViolationCount::add(const node::v1::Identity& who, const std::string& profile) {
  if (seen_++ == 0) {
    about_ = describe(who);
    key_ = spool_prefix(spool_owner(who, profile));
    key_.pop_back();  // the dot
  }
  if (tally_ && !tally_->is_named()) tally_.reset();  // removed under us: it would count for nobody
  if (!tally_) make();
  if (!tally_) return;
  if (const auto set = tally_->set(seen_); !set)
    log::error("violation count", {{"error", set.error().message}});
}

void ViolationCount::end(std::uint64_t lost, bool journal_knows, bool perhaps_told) {
  if (tally_ && !tally_->is_named()) tally_.reset();
  if (!tally_ && lost > 0) {
    make_again_ = {};
    make();
    if (tally_ && !tally_->set(seen_)) tally_.reset();
  }
  const bool many = !perhaps_told && count_tallies(directory_) > kManyTallies;
  const bool crowded = lost > 0 && (!tally_ || many);
  const std::string own = tally_ ? file_name_ : std::string();
  if (lost == 0 && !journal_knows && tally_) {
    if (const auto removed = tally_->remove(); !removed)
      log::warn("tally", {{"error", removed.error().message}});
  } else if (crowded) {
    // Else a container that is restarted again and again while wardd is away leaves a file each
    // time.
    const auto added = Tally::add_to_lost(directory_, key_, about_, lost, own);
    if (!added) log::error("lost violations are not counted", {{"error", added.error().message}});
  }
  tally_.reset();
}

}  // namespace ward::shim::links
