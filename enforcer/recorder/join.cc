// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recorder/join.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <sstream>
#include <string>

#include "enforcer/recorder/bpf_loading.h"
#include "enforcer/recorder/fill_watches.h"
#include "lib/base/file.h"

#ifdef WARD_RECORDER_HAS_BPF
#include "join.skel.h"
#endif

namespace ward::recorder {
namespace {

Result<std::uint64_t> namespace_of(pid_t pid, const char* kind) {
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/" + kind;
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return status.st_ino;
  if (errno == ENOENT || errno == ESRCH)
    return fail(Code::kNotFound, "process " + std::to_string(pid) + " is gone");
  return fail_errno("look at " + path);
}

// Its number in each pid namespace that it can be seen in from ours, ours first.
std::vector<pid_t> numbers_of(pid_t pid) {
  const auto status = read_file("/proc/" + std::to_string(pid) + "/status");
  constexpr std::string_view kKey = "\nNSpid:";
  const auto at = status ? status->find(kKey) : std::string::npos;
  std::vector<pid_t> numbers;
  if (at == std::string::npos) return numbers;
  std::istringstream line(
      status->substr(at + kKey.size(), status->find('\n', at + 1) - at - kKey.size()));
  for (pid_t number = 0; line >> number;) numbers.push_back(number);
  return numbers;
}

#ifdef WARD_RECORDER_HAS_BPF

// A task that is born while a pass goes by has its parent's tag, if the parent had one. So whoever
// was missed is found in a later pass, and a pass that finds nobody new is the last. The bound is
// for a container that does nothing but make processes.
constexpr int kMaxPasses = 16;

using Skeleton = std::unique_ptr<join_bpf, void (*)(join_bpf*)>;

Result<void> load(join_bpf& skeleton, const KernelSide& kernel, const ward_tag& model,
                  const ContainerPlace& place) {
  fill_watches(*skeleton.rodata);
  skeleton.rodata->model = model;
  skeleton.rodata->depth = place.depth;
  for (const auto& [map, fd] :
       {std::pair(skeleton.maps.tags, &kernel.tags), std::pair(skeleton.maps.runs, &kernel.runs),
        std::pair(skeleton.maps.tables, &kernel.tables)}) {
    if (bpf_map__reuse_fd(map, fd->get()) != 0) return refused("use the recorder's BPF maps");
  }
  if (join_bpf::load(&skeleton) != 0)
    return refused("load the BPF program that looks at every task");
  return {};
}

Result<void> pass(int iterator_link) {
  const UniqueFd iterator(bpf_iter_create(iterator_link));
  if (!iterator) return refused("begin a pass over all tasks");
  std::array<char, 64> nothing{};
  ssize_t count = 0;
  do {
    count = ::read(iterator.get(), nothing.data(), nothing.size());
  } while (count > 0 || (count < 0 && (errno == EINTR || errno == EAGAIN)));
  if (count < 0) return fail_errno("look at every task");
  return {};
}

#endif

}  // namespace

Result<ContainerPlace> find_container(pid_t first) {
  const auto pid_ns = namespace_of(first, "pid");
  if (!pid_ns) return tl::unexpected<Error>(pid_ns.error());
  const auto user_ns = namespace_of(first, "user");
  if (!user_ns) return tl::unexpected<Error>(user_ns.error());
  const std::vector<pid_t> numbers = numbers_of(first);
  if (numbers.empty())
    return fail(Code::kNotFound, "process " + std::to_string(first) + " is gone");
  if (numbers.size() < 2 || numbers.back() != 1) {
    return fail(Code::kFailedPrecondition,
                "it shares its pid namespace with others (hostPID, shareProcessNamespace), so "
                "nobody can say which of the processes there are its own");
  }
  return ContainerPlace{*pid_ns, static_cast<std::uint32_t>(*user_ns),
                        static_cast<std::uint32_t>(numbers.size() - 1)};
}

#ifdef WARD_RECORDER_HAS_BPF

Result<std::uint64_t> join(const KernelSide& kernel, const ward_tag& model,
                           const ContainerPlace& place) {
  keep_first_complaint();
  const Skeleton skeleton(join_bpf::open(), join_bpf::destroy);
  if (!skeleton) return refused("read the BPF program that looks at every task");
  if (auto loaded = load(*skeleton, kernel, model, place); !loaded)
    return tl::unexpected<Error>(loaded.error());
  if (join_bpf::attach(skeleton.get()) != 0)
    return refused("attach the BPF program that looks at every task");
  for (int number = 1; number <= kMaxPasses; ++number) {
    skeleton->bss->found = skeleton->bss->fresh = 0;
    skeleton->bss->give_up = number == kMaxPasses ? 1 : 0;
    if (auto done = pass(bpf_link__fd(skeleton->links.ward_join)); !done)
      return tl::unexpected<Error>(done.error());
    if (skeleton->bss->fresh == 0) break;
  }
  if (skeleton->bss->found == 0)
    return fail(Code::kNotFound, "none of the container's processes is there any more");
  return skeleton->bss->found;
}

#else

Result<std::uint64_t> join(const KernelSide&, const ward_tag&, const ContainerPlace&) {
  return fail(Code::kUnimplemented, "built without BPF programs");
}

#endif

}  // namespace ward::recorder
