// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recorder/recorder.h"

#include <sys/random.h>

#include <algorithm>
#include <map>
#include <optional>

#include "enforcer/recorder/join.h"
#include "enforcer/recorder/kernel_side.h"
#include "enforcer/recorder/observe.h"
#include "enforcer/recorder/pins.h"
#include "lib/base/clock.h"

namespace ward::recorder {

static_assert(kMaxRuns == WARD_RUNS && kMaxRunIdBytes + 1 == WARD_RUN_ID_BYTES);

struct Recorder::State {
  std::filesystem::path pin_dir;
  std::string pinning_lacks;  // "": recordings outlive us
  std::string why_not;        // "": can record
  std::string note;
  std::optional<LoadedPrograms> programs;  // idle between runs
  std::optional<KernelSide> kernel;        // while a run is open
  std::map<std::string, std::uint32_t> slots;

  Result<void> load();
  Result<void> attach();
  Result<std::uint32_t> find_slot(const std::string& run_id) const;  // for a run to come
  void close(std::uint32_t slot);                                    // already taken out of `slots`
  void detach();
  Result<std::uint32_t> slot_of(const std::string& run_id) const;
  void adopt();
};

namespace {

// Zero means free; and a task that outlived its run has another number than the slot's next run.
std::uint32_t make_generation() {
  std::uint32_t generation = 0;
  while (generation == 0)
    if (::getrandom(&generation, sizeof(generation), 0) != static_cast<ssize_t>(sizeof(generation)))
      generation = 0;
  return generation;
}

ward_run make_run(const std::string& run_id, const KernelSide& kernel) {
  ward_run run{};
  run.generation = make_generation();
  run.begun_ns = static_cast<std::uint64_t>(monotonic_ns());
  run.begun_wall_ns = wall_ns();
  run.misses_at_begin = missed_events(kernel);
  std::copy(run_id.begin(), run_id.end(), run.id);
  return run;
}

ward_tag make_tag(std::uint32_t slot, const ward_run& run, bool exec) {
  ward_tag tag{};
  tag.slot = slot;
  tag.generation = static_cast<std::uint32_t>(run.generation);
  tag.exec = exec ? 1 : 0;
  return tag;
}

std::optional<std::uint32_t> find_free_slot(const std::map<std::string, std::uint32_t>& taken) {
  std::vector<bool> used(WARD_RUNS);
  for (const auto& [id, slot] : taken) used[slot] = true;
  const auto free = std::find(used.begin(), used.end(), false);
  if (free == used.end()) return std::nullopt;
  return static_cast<std::uint32_t>(free - used.begin());
}

}  // namespace

Result<void> Recorder::State::load() {
  if (programs) return {};
  auto loaded = LoadedPrograms::load();
  why_not = loaded ? "" : loaded.error().message;
  if (!loaded) return tl::unexpected(loaded.error());
  programs = std::move(*loaded);
  return {};
}

Result<void> Recorder::State::attach() {
  if (kernel) return {};
  if (auto loaded = load(); !loaded) return loaded;
  auto attached = programs->attach();
  if (!attached) return tl::unexpected(attached.error());
  kernel = std::move(*attached);
  pinning_lacks = what_pinning_lacks(pin_dir);
  if (!pinning_lacks.empty()) return {};
  // Not pinned is not a reason to refuse the recording; it only ends with this process.
  if (auto pinned = pin(*kernel, pin_dir); !pinned) pinning_lacks = pinned.error().message;
  return {};
}

void Recorder::State::close(std::uint32_t slot) {
  // Where this fails, the slot's tables are gone all the same, and the next begin() writes over
  // both.
  static_cast<void>(write_run(*kernel, slot, ward_run{}));
  drop_tables(*kernel, slot);
  if (slots.empty()) detach();
}

void Recorder::State::detach() {
  if (!pin_dir.empty()) unpin(pin_dir);
  if (programs) programs->detach();
  kernel.reset();
  slots.clear();
}

Result<std::uint32_t> Recorder::State::slot_of(const std::string& run_id) const {
  const auto found = slots.find(run_id);
  if (found == slots.end()) return fail(Code::kNotFound, "no recording '" + run_id + "' is open");
  return found->second;
}

void Recorder::State::adopt() {
  auto pinned = find_pinned(pin_dir);
  if (!pinned) {
    note = "removed the recordings pinned in " + pin_dir.string() + ": " + pinned.error().message;
    unpin(pin_dir);
    return;
  }
  if (!*pinned) return;
  kernel = std::move(**pinned);
  for (std::uint32_t slot = 0; slot < WARD_RUNS; ++slot) {
    auto run = read_run(*kernel, slot);
    if (run && run->generation != 0) slots[run->id] = slot;
  }
  note = "took over " + std::to_string(slots.size()) + " recordings pinned in " + pin_dir.string();
  if (slots.empty()) detach();
}

Recorder::Recorder(std::unique_ptr<State> state) : state_(std::move(state)) {}

Recorder::~Recorder() { shutdown(Pins::kKeep); }

std::unique_ptr<Recorder> Recorder::open(const std::filesystem::path& pin_dir) {
  auto state = std::make_unique<State>();
  state->pin_dir = pin_dir;
  state->pinning_lacks = what_pinning_lacks(pin_dir);
  if (state->pinning_lacks.empty()) state->adopt();
  // Whether this kernel takes the programs is known only by trying; an answer at start beats one at
  // the first container.
  if (!state->kernel) static_cast<void>(state->load());
  return std::unique_ptr<Recorder>(new Recorder(std::move(state)));
}

bool Recorder::available() const { return state_->why_not.empty(); }

std::string Recorder::status() const {
  if (!available())
    return "none: " + state_->why_not +
           "; recording by seccomp notifications, for kernels without BPF, does not exist yet";
  if (!state_->pinning_lacks.empty())
    return "ebpf (recordings end with wardd: " + state_->pinning_lacks + ")";
  return "ebpf";
}

std::string Recorder::note() const { return state_->note; }

Result<std::uint32_t> Recorder::State::find_slot(const std::string& run_id) const {
  if (run_id.empty() || run_id.size() > kMaxRunIdBytes || run_id.find('\0') != std::string::npos)
    return fail(Code::kInvalidArgument,
                "a run's id has 1 to " + std::to_string(kMaxRunIdBytes) + " bytes");
  if (slots.count(run_id) != 0)
    return fail(Code::kAlreadyExists, "recording '" + run_id + "' is open already");
  const auto slot = find_free_slot(slots);
  if (!slot)
    return fail(Code::kResourceExhausted,
                std::to_string(kMaxRuns) + " recordings are open already");
  return *slot;
}

Result<void> Recorder::begin(const std::string& run_id, pid_t pid) {
  const auto slot = state_->find_slot(run_id);
  if (!slot) return tl::unexpected(slot.error());
  if (auto attached = state_->attach(); !attached)
    return fail(Code::kFailedPrecondition, attached.error().message);

  const KernelSide& kernel = *state_->kernel;
  const ward_run run = make_run(run_id, kernel);
  auto begun = add_tables(kernel, *slot)
                   .and_then([&] { return write_run(kernel, *slot, run); })
                   .and_then([&] { return tag_process(kernel, pid, make_tag(*slot, run, false)); });
  if (begun) {
    state_->slots[run_id] = *slot;
    return {};
  }
  state_->close(*slot);
  return fail_with("record '" + run_id + "'", begun.error());
}

Result<void> Recorder::begin_running(const std::string& run_id, pid_t first) {
  const auto slot = state_->find_slot(run_id);
  if (!slot) return tl::unexpected(slot.error());
  const auto place = find_container(first);
  if (!place) return tl::unexpected(place.error());
  if (auto attached = state_->attach(); !attached)
    return fail(Code::kFailedPrecondition, attached.error().message);
  const KernelSide& kernel = *state_->kernel;
  ward_run run = make_run(run_id, kernel);
  run.joined = 1;
  run.pid_ns = place->pid_ns;
  run.program_ns = run.begun_ns;
  auto begun = add_tables(kernel, *slot).and_then([&] { return write_run(kernel, *slot, run); });
  if (begun) {
    state_->slots[run_id] = *slot;
    return {};
  }
  state_->close(*slot);
  return fail_with("record '" + run_id + "'", begun.error());
}

Result<std::uint64_t> Recorder::join(const std::string& run_id, pid_t first) {
  auto slot = state_->slot_of(run_id);
  if (!slot) return tl::unexpected(slot.error());
  auto run = read_run(*state_->kernel, *slot);
  if (!run) return tl::unexpected(run.error());
  const auto place = find_container(first);
  if (!place) return tl::unexpected(place.error());
  if (run->joined == 0 || run->pid_ns != place->pid_ns)
    return fail(Code::kNotFound, "process " + std::to_string(first) + " is another one by now");
  ward_tag model = make_tag(*slot, *run, false);
  model.user_ns = place->user_ns;
  model.program = model.joined = 1;
  model.in_call = 1;  // else the end of the call that it is in would be that of a refused one
  return recorder::join(*state_->kernel, model, *place);
}

Result<void> Recorder::add_exec(const std::string& run_id, pid_t pid) {
  auto slot = state_->slot_of(run_id);
  if (!slot) return tl::unexpected(slot.error());
  auto run = read_run(*state_->kernel, *slot);
  if (!run) return tl::unexpected(run.error());
  auto tagged = tag_process(*state_->kernel, pid, make_tag(*slot, *run, true));
  if (!tagged) return fail_with("record an exec session of '" + run_id + "'", tagged.error());
  return {};
}

Result<profiles::Run> Recorder::snapshot(const std::string& run_id) const {
  auto slot = state_->slot_of(run_id);
  if (!slot) return tl::unexpected(slot.error());
  auto run = observe(*state_->kernel, *slot);
  if (!run) return fail_with("recording '" + run_id + "'", run.error());
  return run;
}

Result<profiles::Run> Recorder::end(const std::string& run_id) {
  auto last = snapshot(run_id);
  if (!last && last.error().code == Code::kNotFound && state_->slots.count(run_id) == 0)
    return last;
  const std::uint32_t slot = state_->slots.at(run_id);
  state_->slots.erase(run_id);
  state_->close(slot);
  return last;
}

std::vector<std::string> Recorder::open_runs() const {
  std::vector<std::string> ids;
  for (const auto& [id, slot] : state_->slots) ids.push_back(id);
  return ids;
}

void Recorder::shutdown(Pins pins) {
  if (pins == Pins::kRemove) {
    state_->detach();
  } else if (state_->kernel) {
    if (state_->programs) state_->programs->detach();
    state_->kernel.reset();  // where it is pinned, it goes on
    state_->slots.clear();
  }
  state_->programs.reset();
}

}  // namespace ward::recorder
