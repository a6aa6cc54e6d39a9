// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recorder/kernel_side.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "enforcer/recorder/bpf_loading.h"
#include "enforcer/recorder/fill_watches.h"
#include "lib/base/file.h"
#include "lib/oci/seccomp.h"
#include "profiles/learn/observation.h"

#ifdef WARD_RECORDER_HAS_BPF
#include "recorder.skel.h"
#endif

namespace ward::recorder {
namespace {

static_assert(profiles::kWatchedArguments.size() <= WARD_SETS);
static_assert(profiles::kMaxArgumentValues == WARD_SET_VALUES);
// A new coarse window always begins with a new fine one: the programs look at the clock once per
// fine window.
static_assert(profiles::kCoarseWindow_ns % profiles::kFineWindow_ns == 0);

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  for (int byte = 0; byte < 8; ++byte, value >>= 8U)
    hash = (hash ^ (value & 0xffU)) * 0x100000001b3ULL;
  return hash;
}

Result<UniqueFd> own(int fd, std::string_view what) {
  if (fd < 0) return fail_errno(what);
  return UniqueFd(fd);
}

#ifdef WARD_RECORDER_HAS_BPF

// The skeleton goes away with its own descriptors; ours are copies.
Result<void> copy_descriptors(const recorder_bpf& skeleton, KernelSide& kernel) {
  const std::pair<UniqueFd*, int> all[] = {
      {&kernel.tags, bpf_map__fd(skeleton.maps.tags)},
      {&kernel.runs, bpf_map__fd(skeleton.maps.runs)},
      {&kernel.layout, bpf_map__fd(skeleton.maps.layout)},
      {&kernel.tables, bpf_map__fd(skeleton.maps.tables)},
      {&kernel.links[0], bpf_link__fd(skeleton.links.ward_sys_enter)},
      {&kernel.links[1], bpf_link__fd(skeleton.links.ward_task_newtask)},
      {&kernel.links[2], bpf_link__fd(skeleton.links.ward_exec)},
      {&kernel.links[3], bpf_link__fd(skeleton.links.ward_cap_capable != nullptr
                                          ? skeleton.links.ward_cap_capable
                                          : skeleton.links.ward_cap_capable_exit)},
      {&kernel.links[4], bpf_link__fd(skeleton.links.ward_sys_exit)},
      {&kernel.links[5], bpf_link__fd(skeleton.links.ward_task_exit)},
      {&kernel.links[6], bpf_link__fd(skeleton.links.ward_signal_generate)},
  };
  for (const auto& [fd, original] : all) {
    fd->reset(::fcntl(original, F_DUPFD_CLOEXEC, 3));
    if (!*fd) return fail_errno("copy a BPF descriptor");
  }
  return {};
}

#endif

std::uint32_t seccomp_filters(pid_t pid) {
  auto status = read_file("/proc/" + std::to_string(pid) + "/status");
  if (!status) return 0;
  constexpr std::string_view kKey = "\nSeccomp_filters:";
  const auto at = status->find(kKey);
  return at == std::string::npos ? 0
                                 : static_cast<std::uint32_t>(std::strtoul(
                                       status->c_str() + at + kKey.size(), nullptr, 10));
}

Result<UniqueFd> create_tables() {
  return own(bpf_map_create(BPF_MAP_TYPE_ARRAY, "ward_run", sizeof(std::uint32_t),
                            sizeof(union ward_table), tables_per_run(), nullptr),
             "create the run's tables");
}

}  // namespace

std::uint32_t tables_per_run() {
  return WARD_FIRST_CPU_TABLE + static_cast<std::uint32_t>(std::max(1, libbpf_num_possible_cpus()));
}

std::vector<std::pair<std::string, UniqueFd*>> KernelSide::objects() {
  return {{"tags", &tags},
          {"runs", &runs},
          {"tables", &tables},
          {"sys_enter", &links[0]},
          {"task_newtask", &links[1]},
          {"exec", &links[2]},
          {"cap_capable", &links[3]},
          {"sys_exit", &links[4]},
          {"task_exit", &links[5]},
          {"signal", &links[6]},
          {"layout", &layout}};
}

std::vector<std::pair<int, std::uint32_t>> watched_sets() {
  std::vector<std::pair<int, std::uint32_t>> sets;
  sets.reserve(profiles::kWatchedArguments.size());
  for (const auto& watched : profiles::kWatchedArguments)
    sets.emplace_back(oci::find_syscall(watched.syscall).value_or(-1), watched.index);
  return sets;
}

std::uint64_t layout_fingerprint() {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const std::uint64_t size :
       {sizeof(ward_tag), sizeof(ward_run), sizeof(ward_count), sizeof(ward_mark),
        sizeof(ward_values), sizeof(ward_program), sizeof(ward_signal), sizeof(ward_shared),
        sizeof(union ward_table)})
    hash = mix(hash, size);
  hash = mix(hash, profiles::kFineWindow_ns);
  hash = mix(hash, profiles::kCoarseWindow_ns);
  for (const auto& [nr, index] : watched_sets())
    hash = mix(mix(hash, static_cast<std::uint64_t>(nr)), index);
  return hash;
}

#ifdef WARD_RECORDER_HAS_BPF

struct LoadedPrograms::Skeleton {
  std::unique_ptr<recorder_bpf, void (*)(recorder_bpf*)> object{recorder_bpf::open(),
                                                                recorder_bpf::destroy};
};

Result<LoadedPrograms> LoadedPrograms::load() {
  keep_first_complaint();
  auto skeleton = std::make_unique<Skeleton>();
  recorder_bpf* object = skeleton->object.get();
  if (object == nullptr) return refused("read the BPF programs");
  fill_watches(*object->rodata);
  object->rodata->rt_sigaction_nr = SYS_rt_sigaction;
  const bool has_tracepoint = kernel_has_tracepoint("cap_capable");
  bpf_program__set_autoload(object->progs.ward_cap_capable, has_tracepoint);
  bpf_program__set_autoload(object->progs.ward_cap_capable_exit, !has_tracepoint);
  // The outer map takes tables that are like this one. (Resizing the declared one crashes
  // libbpf 1.1.)
  auto like = create_tables();
  if (!like) {
    errno = like.error().sys_errno;
    return refused("create BPF maps");
  }
  if (bpf_map__set_inner_map_fd(object->maps.tables, like->get()) != 0)
    return refused("size the BPF maps");
  if (recorder_bpf::load(object) != 0) return refused("load the BPF programs");
  const std::uint32_t zero = 0;
  const std::uint64_t layout = layout_fingerprint();
  if (bpf_map_update_elem(bpf_map__fd(object->maps.layout), &zero, &layout, BPF_ANY) != 0)
    return fail_errno("write the layout of the BPF maps");
  return LoadedPrograms(std::move(skeleton));
}

Result<KernelSide> LoadedPrograms::attach() {
  keep_first_complaint();
  if (recorder_bpf::attach(skeleton_->object.get()) != 0) {
    auto error = refused("attach the BPF programs");
    detach();
    return error;
  }
  KernelSide kernel;
  if (auto copied = copy_descriptors(*skeleton_->object, kernel); !copied) {
    detach();
    return tl::unexpected(copied.error());
  }
  return kernel;
}

void LoadedPrograms::detach() { recorder_bpf::detach(skeleton_->object.get()); }

#else

struct LoadedPrograms::Skeleton {};

Result<LoadedPrograms> LoadedPrograms::load() {
  return fail(Code::kUnimplemented,
              "this wardd was built without BPF programs (no kernel types on the build machine)");
}

Result<KernelSide> LoadedPrograms::attach() {
  return fail(Code::kUnimplemented, "built without BPF programs");
}

void LoadedPrograms::detach() {}

#endif

LoadedPrograms::LoadedPrograms(std::unique_ptr<Skeleton> skeleton)
    : skeleton_(std::move(skeleton)) {}
LoadedPrograms::LoadedPrograms(LoadedPrograms&& other) noexcept = default;
LoadedPrograms& LoadedPrograms::operator=(LoadedPrograms&& other) noexcept = default;
LoadedPrograms::~LoadedPrograms() = default;

Result<std::uint64_t> read_layout(const KernelSide& kernel) {
  const std::uint32_t zero = 0;
  std::uint64_t layout = 0;
  // The size first: the kernel copies as many bytes as the map has, whatever we expected.
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(kernel.layout.get(), &info, &size) != 0)
    return fail_errno("look at the pinned layout");
  if (info.value_size != sizeof(layout))
    return fail(Code::kFailedPrecondition, "the pinned layout is not a layout");
  if (bpf_map_lookup_elem(kernel.layout.get(), &zero, &layout) != 0)
    return fail_errno("read the pinned layout");
  return layout;
}

Result<ward_run> read_run(const KernelSide& kernel, std::uint32_t slot) {
  ward_run run{};
  if (bpf_map_lookup_elem(kernel.runs.get(), &slot, &run) != 0) return fail_errno("read the run");
  run.id[WARD_RUN_ID_BYTES - 1] = '\0';
  return run;
}

Result<void> write_run(const KernelSide& kernel, std::uint32_t slot, const ward_run& run) {
  if (bpf_map_update_elem(kernel.runs.get(), &slot, &run, BPF_ANY) != 0)
    return fail_errno("write the run");
  return {};
}

Result<void> add_tables(const KernelSide& kernel, std::uint32_t slot) {
  auto tables = create_tables();
  if (!tables) return tl::unexpected(tables.error());
  const int fd = tables->get();
  if (bpf_map_update_elem(kernel.tables.get(), &slot, &fd, BPF_ANY) != 0)
    return fail_errno("install the run's tables");
  return {};
}

void drop_tables(const KernelSide& kernel, std::uint32_t slot) {
  bpf_map_delete_elem(kernel.tables.get(), &slot);
}

Result<void> tag_process(const KernelSide& kernel, pid_t pid, ward_tag tag) {
  auto pidfd = own(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)),
                   "open process " + std::to_string(pid));
  if (!pidfd) {
    if (pidfd.error().sys_errno == ESRCH) pidfd.error().code = Code::kNotFound;
    return tl::unexpected(pidfd.error());
  }
  // Filters that are there already (a containerd that runs in a container) are not the container's.
  tag.base_filters = seccomp_filters(pid);
  const int key = pidfd->get();
  if (bpf_map_update_elem(kernel.tags.get(), &key, &tag, BPF_ANY) != 0) {
    const int error = errno;
    if (error == ESRCH || error == ENOENT)
      return fail(Code::kNotFound, "process " + std::to_string(pid) + " is gone");
    return fail_errno("tag process " + std::to_string(pid), error);
  }
  return {};
}

std::uint64_t missed_events(const KernelSide& kernel) {
  std::uint64_t missed = 0;
  for (const UniqueFd& link : kernel.links) {
    bpf_link_info link_info{};
    std::uint32_t size = sizeof(link_info);
    if (bpf_obj_get_info_by_fd(link.get(), &link_info, &size) != 0) continue;
    UniqueFd program(bpf_prog_get_fd_by_id(link_info.prog_id));
    bpf_prog_info info{};
    size = sizeof(info);
    if (program && bpf_obj_get_info_by_fd(program.get(), &info, &size) == 0)
      missed += info.recursion_misses;
  }
  return missed;
}

}  // namespace ward::recorder
