// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recorder/process_watch.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "enforcer/recorder/bpf_loading.h"
#include "enforcer/recorder/recorder.h"
#include "lib/base/log.h"
#include "lib/base/unique_fd.h"

#ifdef WARD_RECORDER_HAS_BPF
#include "watch.skel.h"
#endif

namespace ward::recorder {
namespace {

// The pins of programs and maps. The layout is last: where it is pinned, all the others are.
constexpr std::array<std::string_view, 11> kPins = {"tags",     "inits",  "watched",  "used",
                                                    "offences", "missed", "seen_map", "exec",
                                                    "newtask",  "exit",   "capable"};
constexpr std::string_view kLayout = "layout";

std::uint64_t ns_per_tick() {
  return 1'000'000'000ULL / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
}

std::string text_of(const char* field, std::size_t size) {
  const std::string_view all(field, size);
  return std::string(all.substr(0, all.find('\0')));
}

void unpin_all(const std::filesystem::path& directory) {
  for (const std::string_view name : kPins) ::unlink((directory / name).c_str());
  ::unlink((directory / kLayout).c_str());
  ::rmdir(directory.c_str());
}

bool is_complete(const std::filesystem::path& directory) {
  for (const std::string_view name : kPins) {
    if (::access((directory / name).c_str(), F_OK) != 0) return false;
  }
  const UniqueFd layout(bpf_obj_get((directory / kLayout).c_str()));
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  const std::uint32_t zero = 0;
  std::uint64_t value = 0;
  return layout && bpf_obj_get_info_by_fd(layout.get(), &info, &size) == 0 &&
         info.value_size == sizeof(value) &&
         bpf_map_lookup_elem(layout.get(), &zero, &value) == 0 && value == watch_layout();
}

#ifdef WARD_RECORDER_HAS_BPF

using Skeleton = std::unique_ptr<watch_bpf, void (*)(watch_bpf*)>;

Result<void> pin_all(watch_bpf& skeleton, const std::filesystem::path& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno("create " + directory.string());
  const bpf_link* const capable = skeleton.links.ward_watch_capable != nullptr
                                      ? skeleton.links.ward_watch_capable
                                      : skeleton.links.ward_watch_capable_exit;
  const std::array<int, kPins.size()> descriptors = {
      bpf_map__fd(skeleton.maps.tags),
      bpf_map__fd(skeleton.maps.inits),
      bpf_map__fd(skeleton.maps.watched),
      bpf_map__fd(skeleton.maps.used),
      bpf_map__fd(skeleton.maps.offences),
      bpf_map__fd(skeleton.maps.missed),
      bpf_map__fd(skeleton.maps.seen),
      bpf_link__fd(skeleton.links.ward_watch_exec),
      bpf_link__fd(skeleton.links.ward_watch_newtask),
      bpf_link__fd(skeleton.links.ward_watch_exit),
      bpf_link__fd(capable)};
  for (std::size_t i = 0; i < kPins.size(); ++i) {
    if (bpf_obj_pin(descriptors[i], (directory / kPins[i]).c_str()) != 0)
      return fail_errno("pin " + (directory / kPins[i]).string());
  }
  if (bpf_obj_pin(bpf_map__fd(skeleton.maps.layout), (directory / kLayout).c_str()) != 0)
    return fail_errno("pin " + (directory / kLayout).string());
  return {};
}

// Loaded, attached, pinned: all or nothing. The pins alone keep it alive.
Result<void> install(const std::filesystem::path& directory) {
  keep_first_complaint();
  const Skeleton skeleton(watch_bpf::open(), watch_bpf::destroy);
  if (!skeleton) return refused("read the BPF programs");
  skeleton->rodata->ns_per_tick = ns_per_tick();
  const bool has_tracepoint = kernel_has_tracepoint("cap_capable");
  bpf_program__set_autoload(skeleton->progs.ward_watch_capable, has_tracepoint);
  bpf_program__set_autoload(skeleton->progs.ward_watch_capable_exit, !has_tracepoint);
  if (watch_bpf::load(skeleton.get()) != 0) return refused("load the BPF programs");
  const std::uint32_t zero = 0;
  const std::uint64_t layout = watch_layout();
  if (bpf_map_update_elem(bpf_map__fd(skeleton->maps.layout), &zero, &layout, BPF_ANY) != 0)
    return fail_errno("write the layout of the BPF maps");
  if (watch_bpf::attach(skeleton.get()) != 0) return refused("attach the BPF programs");
  if (auto pinned = pin_all(*skeleton, directory); !pinned) {
    unpin_all(directory);
    return pinned;
  }
  return {};
}

#else

Result<void> install(const std::filesystem::path&) {
  return fail(Code::kUnimplemented,
              "this wardd was built without BPF programs (no kernel types on the build machine)");
}

#endif

}  // namespace

std::uint64_t watch_layout() {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const std::uint64_t size :
       {sizeof(ward_watch_init), sizeof(ward_watched), sizeof(ward_watch_tag), sizeof(ward_seen),
        sizeof(ward_use), sizeof(ward_offence)})
    hash = (hash ^ size) * 0x100000001b3ULL;
  return hash;
}

struct ProcessWatch::State {
  explicit State(std::filesystem::path directory) : pins(std::move(directory)) {}

  Result<void> take_over() {
    watched.reset(bpf_obj_get((pins / "watched").c_str()));
    missed.reset(bpf_obj_get((pins / "missed").c_str()));
    used.reset(bpf_obj_get((pins / "used").c_str()));
    const UniqueFd map(bpf_obj_get((pins / "seen_map").c_str()));
    if (!watched || !missed || !used || !map) return fail_errno("open " + pins.string());
    ring.reset(ring_buffer__new(map.get(), &State::deliver, this, nullptr));
    if (!ring) return fail_errno("map the queue of what was seen");
    return {};
  }

  static int deliver(void* self, void* data, std::size_t size) {
    if (size < sizeof(ward_seen)) return 0;
    static_cast<State*>(self)->take(*static_cast<const ward_seen*>(data));
    return 0;
  }

  void take(const ward_seen& what) {
    Seen event;
    event.what = what;
    event.start_ticks = what.start_ns / ns_per_tick();
    if (const auto who = find(what.container)) {
      event.containerd_namespace =
          text_of(who->containerd_namespace, sizeof(who->containerd_namespace));
      event.container_id = text_of(who->container_id, sizeof(who->container_id));
      event.profile = text_of(who->profile, sizeof(who->profile));
      event.digest = text_of(who->digest, sizeof(who->digest));
    }
    drained.push_back(std::move(event));
  }

  std::optional<ward_watched> find(std::uint64_t container) const {
    ward_watched who{};
    if (bpf_map_lookup_elem(watched.get(), &container, &who) != 0) return std::nullopt;
    return who;
  }

  void close() {
    ring.reset();
    watched.reset();
    missed.reset();
    used.reset();
  }

  std::filesystem::path pins;
  std::vector<Seen> drained;
  std::string why_not;
  UniqueFd watched, missed, used;
  std::unique_ptr<ring_buffer, void (*)(ring_buffer*)> ring{nullptr, ring_buffer__free};
  std::set<std::uint64_t> gone;  // in the last forget()
};

ProcessWatch::ProcessWatch(std::filesystem::path pins)
    : state_(std::make_unique<State>(std::move(pins))) {}

ProcessWatch::~ProcessWatch() { state_->close(); }

void ProcessWatch::start() {
  State& state = *state_;
  if (state.ring || !state.why_not.empty()) return;
  const auto refuse = [&](std::string why) {
    log::warn(
        "deaths by the filter and use of capabilities are not seen in processes of containers",
        {{"why", why}});
    state.why_not = std::move(why);
    state.close();
  };
  if (const std::string lacks = what_pinning_lacks(state.pins); !lacks.empty())
    return refuse(lacks);
  if (!is_complete(state.pins)) {
    unpin_all(state.pins);
    if (auto installed = install(state.pins); !installed) return refuse(installed.error().message);
  }
  if (auto taken = state.take_over(); !taken) refuse(taken.error().message);
}

void ProcessWatch::remove() {
  state_->close();
  unpin_all(state_->pins);
}

bool ProcessWatch::running() const { return state_->ring != nullptr; }

int ProcessWatch::descriptor() const {
  return state_->ring ? ring_buffer__epoll_fd(state_->ring.get()) : -1;
}

std::vector<Seen> ProcessWatch::drain() {
  if (state_->ring) ring_buffer__consume(state_->ring.get());
  return std::exchange(state_->drained, {});
}

std::string ProcessWatch::why_not() const { return state_->why_not; }

std::vector<Missed> ProcessWatch::take_missed() {
  std::vector<Missed> all;
  if (!state_->ring) return all;
  std::uint64_t container = 0, count = 0;
  while (bpf_map_get_next_key(state_->missed.get(), nullptr, &container) == 0) {
    if (bpf_map_lookup_elem(state_->missed.get(), &container, &count) != 0) count = 0;
    if (bpf_map_delete_elem(state_->missed.get(), &container) != 0) break;
    const auto who = state_->find(container);
    all.push_back({who ? text_of(who->containerd_namespace, sizeof(who->containerd_namespace)) : "",
                   who ? text_of(who->container_id, sizeof(who->container_id)) : "", count});
  }
  return all;
}

void ProcessWatch::forget(const std::function<bool(const std::string&, const std::string&)>& gone) {
  State& state = *state_;
  if (!state.ring) return;
  std::set<std::uint64_t> now;
  std::uint64_t previous = 0, container = 0;
  const std::uint64_t* from = nullptr;
  while (bpf_map_get_next_key(state.watched.get(), from, &container) == 0) {
    const auto who = state.find(container);
    if (who && gone(text_of(who->containerd_namespace, sizeof(who->containerd_namespace)),
                    text_of(who->container_id, sizeof(who->container_id)))) {
      now.insert(container);
    }
    previous = container;
    from = &previous;
  }
  for (const std::uint64_t id : now) {
    if (state.gone.count(id) != 0) bpf_map_delete_elem(state.watched.get(), &id);
  }
  state.gone = std::move(now);
}

}  // namespace ward::recorder
