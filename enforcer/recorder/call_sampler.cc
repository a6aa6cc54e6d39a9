// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recorder/call_sampler.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <optional>
#include <string_view>

#include "enforcer/recorder/bpf/sample.h"
#include "enforcer/recorder/bpf_loading.h"
#include "lib/base/clock.h"
#include "lib/base/unique_fd.h"
#include "profiles/filter/watch_maps.h"

#ifdef WARD_RECORDER_HAS_BPF
#include "sample.skel.h"
#endif

namespace ward::recorder {
namespace {

static_assert(kMostSampledContainers == WARD_SAMPLED_CONTAINERS);
static_assert(kMostSampledSets == WARD_SAMPLED_SETS);
static_assert(kSampledNumbers == WARD_SAMPLED_NRS);

constexpr std::uint16_t kOfExec = 0x8000;

template <std::size_t Size>
std::string text_of(const char (&field)[Size]) {  // NOLINT(*-avoid-c-arrays): the map's layout
  const std::string_view all(static_cast<const char*>(field), Size);
  return std::string(all.substr(0, all.find('\0')));
}

// A pinned map of another layout is none of ours.
Result<UniqueFd> open_pinned(const std::filesystem::path& path, std::size_t value_size,
                             std::uint32_t* id = nullptr) {
  UniqueFd map(bpf_obj_get(path.c_str()));
  if (!map) {
    if (errno == ENOENT)
      return fail(Code::kNotFound, "no process of a container is watched on this node");
    return fail_errno("open " + path.string());
  }
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(map.get(), &info, &size) != 0)
    return fail_errno("look at " + path.string());
  if (info.value_size != value_size)
    return fail(Code::kFailedPrecondition, path.string() + " is of another version of Ward");
  if (id != nullptr) *id = info.id;
  return map;
}

#ifdef WARD_RECORDER_HAS_BPF

using Skeleton = std::unique_ptr<sample_bpf, void (*)(sample_bpf*)>;

Result<Skeleton> load(const UniqueFd& tags, const CallSampler::ArgumentBits& bits) {
  keep_first_complaint();
  Skeleton skeleton(sample_bpf::open(), sample_bpf::destroy);
  if (!skeleton) return refused("read the BPF program of windows");
  for (int nr = 0; nr < WARD_SAMPLED_NRS; ++nr) {
    const auto of = bits(nr);
    std::copy(of.begin(), of.end(), skeleton->rodata->bits[nr].of);
  }
  if (bpf_map__reuse_fd(skeleton->maps.tags, tags.get()) != 0)
    return refused("use the tags of watched processes");
  if (sample_bpf::load(skeleton.get()) != 0) return refused("load the BPF program of windows");
  return skeleton;
}

ward_sample_set to_set(const WantedCalls& wanted) {
  ward_sample_set set{};
  for (std::size_t nr = 0; nr < kSampledNumbers; ++nr) {
    const std::uint64_t bit = std::uint64_t{1} << (nr % 64);
    if (wanted.workload[nr]) set.wanted[0][nr / 64] |= bit;
    if (wanted.exec[nr]) set.wanted[1][nr / 64] |= bit;
  }
  return set;
}

SampledCall to_call(const ward_sample_key& key, const ward_sample& sample) {
  static const std::uint64_t ns_per_tick =
      1'000'000'000ULL / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  SampledCall call;
  call.set = key.set;
  call.tag = sample.container;
  call.exec = (key.nr_exec & kOfExec) != 0;
  call.nr = key.nr_exec & ~kOfExec;
  std::copy(std::begin(sample.args), std::end(sample.args), call.args.begin());
  call.count = sample.count;
  call.pid = static_cast<pid_t>(sample.pid);
  call.tid = static_cast<pid_t>(sample.tid);
  call.start_ticks = sample.start_ns / ns_per_tick;
  call.comm = text_of(sample.comm);
  return call;
}

#endif

}  // namespace

#ifdef WARD_RECORDER_HAS_BPF

struct CallSampler::State {
  State(std::filesystem::path directory, ArgumentBits argument_bits)
      : pins(std::move(directory)), bits(std::move(argument_bits)) {}

  Result<void> prepare();
  Result<void> fill(const std::vector<WantedCalls>& all,
                    const std::vector<std::pair<std::uint64_t, std::size_t>>& containers);
  void take(Sample& sample);
  void empty();
  void detach() { link.reset(); }

  const std::filesystem::path pins;
  const ArgumentBits bits;
  Skeleton skeleton{nullptr, sample_bpf::destroy};
  std::uint32_t tags_id = 0;  // of the map that the program looks into
  std::unique_ptr<bpf_link, int (*)(bpf_link*)> link{nullptr, bpf_link__destroy};
  std::int64_t opened_ns = 0;
  std::uint32_t window = 0;
  std::size_t sets = 0;
  std::vector<std::uint64_t> filled;  // keys of `sampled`
};

// Whoever watches processes may have begun anew since, with other tags.
Result<void> CallSampler::State::prepare() {
  std::uint32_t id = 0;
  const auto tags = open_pinned(pins / "tags", sizeof(ward_watch_tag), &id);
  if (!tags) return tl::unexpected<Error>(tags.error());
  if (skeleton && tags_id == id) return {};
  skeleton.reset();
  auto loaded = load(*tags, bits);
  if (!loaded) return tl::unexpected<Error>(loaded.error());
  skeleton = std::move(*loaded);
  tags_id = id;
  return {};
}

Result<void> CallSampler::State::fill(
    const std::vector<WantedCalls>& all,
    const std::vector<std::pair<std::uint64_t, std::size_t>>& containers) {
  ++window;
  sets = all.size();
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    const ward_sample_set set = to_set(all[i]);
    if (bpf_map_update_elem(bpf_map__fd(skeleton->maps.sets), &i, &set, BPF_ANY) != 0)
      return fail_errno("write what a window looks for");
  }
  for (const auto& [tag, set] : containers) {
    const ward_sampled in{static_cast<std::uint32_t>(set), window};
    if (bpf_map_update_elem(bpf_map__fd(skeleton->maps.sampled), &tag, &in, BPF_ANY) != 0)
      return fail_errno("write which containers a window looks at");
    filled.push_back(tag);
  }
  return {};
}

// One that was running on another CPU when the program was detached may still write: what it writes
// bears the number of this window, and the next one leaves it aside.
void CallSampler::State::take(Sample& sample) {
  const int calls = bpf_map__fd(skeleton->maps.calls);
  ward_sample_key key{};
  ward_sample one{};
  while (bpf_map_get_next_key(calls, nullptr, &key) == 0) {
    const bool ours = bpf_map_lookup_elem(calls, &key, &one) == 0 && key.window == window;
    if (ours) sample.calls.push_back(to_call(key, one));
    if (bpf_map_delete_elem(calls, &key) != 0) break;
  }
  for (std::uint32_t i = 0; i < sets; ++i) {
    ward_sample_set set{};
    if (bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.sets), &i, &set) == 0)
      sample.dropped += set.dropped;
  }
}

void CallSampler::State::empty() {
  for (const std::uint64_t tag : filled)
    bpf_map_delete_elem(bpf_map__fd(skeleton->maps.sampled), &tag);
  filled.clear();
  sets = 0;
}

Result<void> CallSampler::open(
    const std::vector<WantedCalls>& sets,
    const std::vector<std::pair<std::uint64_t, std::size_t>>& containers) {
  close();
  if (sets.size() > kMostSampledSets || containers.size() > kMostSampledContainers)
    return fail(Code::kInvalidArgument, "too much for one window");
  State& state = *state_;
  if (auto ready = state.prepare(); !ready) return ready;
  if (auto filled = state.fill(sets, containers); !filled) {
    state.empty();
    return filled;
  }
  keep_first_complaint();
  state.link.reset(bpf_program__attach(state.skeleton->progs.ward_sample_enter));
  if (!state.link) {
    auto error = refused("attach the BPF program of windows");
    state.empty();
    return error;
  }
  state.opened_ns = monotonic_ns();
  return {};
}

Sample CallSampler::close() {
  State& state = *state_;
  Sample sample;
  if (!state.link) return sample;
  sample.watched_ns = monotonic_ns() - state.opened_ns;
  state.detach();
  state.take(sample);
  state.empty();
  return sample;
}

bool CallSampler::is_open() const { return state_->link != nullptr; }

void CallSampler::unload() {
  close();
  state_->skeleton.reset();
}

#else

struct CallSampler::State {
  State(std::filesystem::path directory, const ArgumentBits&) : pins(std::move(directory)) {}
  const std::filesystem::path pins;
};

Result<void> CallSampler::open(const std::vector<WantedCalls>&,
                               const std::vector<std::pair<std::uint64_t, std::size_t>>&) {
  return fail(Code::kUnimplemented, "built without BPF programs");
}
Sample CallSampler::close() { return {}; }
bool CallSampler::is_open() const { return false; }
void CallSampler::unload() {}

#endif

CallSampler::CallSampler(std::filesystem::path watch_pins, ArgumentBits bits)
    : state_(std::make_unique<State>(std::move(watch_pins), std::move(bits))) {}

CallSampler::~CallSampler() { unload(); }

Result<std::vector<TaggedContainer>> CallSampler::containers() const {
  const auto map = open_pinned(state_->pins / "watched", sizeof(ward_watched));
  if (!map) return tl::unexpected<Error>(map.error());
  std::vector<TaggedContainer> all;
  std::uint64_t previous = 0, tag = 0;
  const std::uint64_t* from = nullptr;
  while (all.size() < WARD_WATCH_CONTAINERS && bpf_map_get_next_key(map->get(), from, &tag) == 0) {
    ward_watched who{};
    if (bpf_map_lookup_elem(map->get(), &tag, &who) == 0)
      all.push_back({tag, text_of(who.containerd_namespace), text_of(who.container_id)});
    previous = tag;
    from = &previous;
  }
  return all;
}

}  // namespace ward::recorder
