// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sampling.h"

#include <algorithm>
#include <random>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/linux/process_info.h"

namespace ward::enforcer {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMostTold = 256;  // by one window: each takes a look into /proc
constexpr milliseconds kSoon{5000};     // where a window waits for something to look at
constexpr const char* kCounter = "sampled_wall_ns";
// At night all is quiet, and one that watches the clock knows a beat: the time between two windows
// is any from half of it to one and a half.
milliseconds around(milliseconds middle) {
  std::random_device random;
  return middle / 2 + milliseconds(random() % static_cast<std::uint64_t>(middle.count() + 1));
}

bool is_governed(const node::v1::ContainerStatus& status) {
  return status.state() == node::v1::CONTAINER_STATE_RUNNING &&
         (status.mode() == node::v1::MODE_SUPERVISE || status.mode() == node::v1::MODE_ENFORCE);
}

filter::Phase phase_of(const node::v1::ContainerStatus& status) {
  return status.phase() == node::v1::PHASE_SERVING ? filter::Phase::kServing : filter::Phase::kBoot;
}

// The number may be another process's by now; then nothing is said of it.
std::string exe_of(const recorder::SampledCall& call) {
  std::string exe = read_exe(call.pid);
  const auto stat = read_stat(call.pid);
  return stat && stat->start_time_ticks == call.start_ticks ? exe : "";
}

std::int64_t read_last(const std::filesystem::path& database) {
  auto connection = Connection::open(database, Access::kReadOnly);
  if (!connection) return 0;
  auto statement = connection->prepare("SELECT value FROM counters WHERE name = ?");
  if (!statement) return 0;
  const auto row = statement->bind(std::string_view(kCounter)).step();
  return row && *row ? statement->integer(0) : 0;
}

}  // namespace

Sampling::Sampling(asio::io_context& core, const std::filesystem::path& watch_pins,
                   const ContainerTable& containers, const ProfileStore& store, Journal& journal,
                   Writer& writer)
    : containers_(containers),
      store_(store),
      journal_(journal),
      writer_(writer),
      sampler_(watch_pins, profiles::told_apart_by),
      timer_(core) {}

Sampling::~Sampling() = default;

void Sampling::start(const std::filesystem::path& database) {
  last_wall_ns_ = read_last(database);
  started_ = true;
  plan_next(std::min(settings_.every, kSoon));
}

void Sampling::set(const SamplingSettings& settings) {
  if (settings == settings_) return;
  if (sampler_.is_open()) end();
  settings_ = settings;
  if (settings_.every.count() == 0) {
    timer_.cancel();
    sampler_.unload();
    return unseen("off in wardd.yaml (sampling)");
  }
  unseen("");
  if (started_) plan_next(std::min(settings_.every, kSoon));
}

void Sampling::stop() {
  started_ = false;
  timer_.cancel();
  sampler_.unload();
}

void Sampling::plan_next(milliseconds from_now) {
  if (!started_ || settings_.every.count() == 0) return;
  timer_.expires_after(from_now);
  timer_.async_wait([this](const asio::error_code& error) {
    if (!error) begin();
  });
}

std::shared_ptr<Law> Sampling::law_of(const std::string& profile) {
  const LoadedProfile* loaded = store_.find(profile);
  if (loaded == nullptr) return nullptr;
  const auto known = laws_.find(profile);
  if (known != laws_.end() && known->second->digest == loaded->digest) return known->second;
  auto free = profiles::FreeCalls::of(loaded->profile);
  // One that cannot be compiled is not in force either, and said to be wrong elsewhere.
  auto law = std::make_shared<Law>(
      Law{loaded->digest, free ? std::move(*free) : profiles::FreeCalls(), {}});
  laws_[profile] = law;
  return law;
}

// By the version in force: what it lists needs no proposal, whichever version a container began
// under.
std::vector<Watched> Sampling::list_watched() {
  std::vector<Watched> all;
  for (const ContainerEntry& entry : containers_.list()) {
    const node::v1::ContainerStatus& status = entry.status;
    if (!is_governed(status)) continue;
    auto law = law_of(status.profile_name());
    if (law == nullptr || law->free.empty()) continue;
    all.push_back({{status.identity().containerd_namespace(), status.identity().container_id()},
                   status.profile_name(),
                   phase_of(status),
                   std::move(law)});
  }
  return all;
}

void Sampling::tend() {
  to_watch_ = list_watched().size();
  time_.set_wanted(to_watch_ > 0, monotonic_ns());
  if (to_watch_ == 0) to_watch_since_wall_ns_ = 0;
  if (to_watch_ > 0 && to_watch_since_wall_ns_ == 0) to_watch_since_wall_ns_ = wall_ns();
  std::erase_if(laws_, [this](const auto& law) { return store_.find(law.first) == nullptr; });
}

void Sampling::unseen(std::string why) {
  if (!why.empty() && why != why_not_)
    log::warn("calls that profiles let run without asking are not watched", {{"why", why}});
  why_not_ = std::move(why);
}

void Sampling::begin() {
  tend();
  if (to_watch_ == 0) {
    sampler_.unload();
    return plan_next(std::min(settings_.every, kSoon));
  }
  const auto tagged = sampler_.containers();
  if (!tagged) {
    unseen(tagged.error().message);
    return plan_next(settings_.every);
  }
  std::multimap<ContainerTable::Key, std::uint64_t> tags;
  for (const recorder::TaggedContainer& one : *tagged)
    tags.emplace(ContainerTable::Key(one.containerd_namespace, one.id), one.tag);
  plan_ = plan_window(list_watched(), tags, plan_.last);
  if (plan_.watched == 0) {
    unseen("these containers began before anybody watched their processes");
    return plan_next(std::min(settings_.every, kSoon));
  }
  part_watched_ = static_cast<double>(plan_.watched) / static_cast<double>(to_watch_);
  if (auto opened = sampler_.open(plan_.sets, plan_.containers); !opened) {
    unseen(opened.error().message);
    return plan_next(settings_.every);
  }
  unseen("");
  timer_.expires_after(settings_.window);
  timer_.async_wait([this](const asio::error_code& error) {
    if (!error) end();
  });
}

void Sampling::end() {
  const recorder::Sample sample = sampler_.close();
  time_.add_watched(static_cast<double>(sample.watched_ns) * part_watched_, monotonic_ns());
  ++windows_;
  std::size_t told = 0;
  for (const recorder::SampledCall& call : sample.calls) {
    if (told == kMostTold) break;  // the others are looked for again
    if (tell(call)) ++told;
  }
  if (sample.dropped > 0)
    log::info("a window had no place for all kinds of calls",
              {{"without", std::to_string(sample.dropped)}});
  remember(wall_ns());
  plan_.by_tag.clear();
  plan_next(around(settings_.every));
}

bool Sampling::tell(const recorder::SampledCall& call) {
  const auto found = plan_.by_tag.find(call.tag);
  if (found == plan_.by_tag.end()) return false;
  const Watched& in = found->second;
  const filter::Phase phase = call.exec ? filter::Phase::kExec : in.phase;
  // A supervisor was asked for the rest, and tells of it.
  const auto way = in.law->free.way_of(call.nr, call.args, phase);
  if (!way || !in.law->told.insert({call.nr, call.exec, *way}).second) return false;
  const auto entry = containers_.find(in.key.first, in.key.second);
  journal_.note(sampled_event(call, *way, in, entry ? entry->status : node::v1::ContainerStatus(),
                              exe_of(call)));
  return true;
}

void Sampling::remember(std::int64_t now_wall_ns) {
  last_wall_ns_ = now_wall_ns;
  writer_.submit(
      [now_wall_ns](Connection& connection) -> Result<void> {
        auto statement =
            connection.prepare("INSERT OR REPLACE INTO counters (name, value) VALUES (?, ?)");
        if (!statement) return tl::unexpected<Error>(statement.error());
        return statement->bind(std::string_view(kCounter)).bind(now_wall_ns).run();
      },
      nullptr);
}

v1::Sampling Sampling::status() const {
  v1::Sampling out;
  out.set_watched_share(time_.share(monotonic_ns()));
  out.set_windows(windows_);
  out.set_containers(static_cast<std::uint32_t>(to_watch_));
  out.set_last_wall_ns(last_wall_ns_);
  out.set_why_not(why_not_);
  if (to_watch_ > 0 && (windows_ == 0 || !why_not_.empty()))
    out.set_unwatched_wall_ns(last_wall_ns_ > 0 ? last_wall_ns_ : to_watch_since_wall_ns_);
  return out;
}

}  // namespace ward::enforcer
