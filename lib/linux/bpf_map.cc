// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/bpf_map.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

namespace ward {
namespace {

long bpf(int command, bpf_attr& attributes) {
  return ::syscall(SYS_bpf, command, &attributes, sizeof(attributes));
}

std::uint64_t address(const void* memory) { return reinterpret_cast<std::uintptr_t>(memory); }

}  // namespace

Result<BpfMap> BpfMap::open(const std::filesystem::path& pin, std::uint32_t key_bytes,
                            std::uint32_t value_bytes) {
  bpf_attr get{};
  get.pathname = address(pin.c_str());
  UniqueFd fd(static_cast<int>(bpf(BPF_OBJ_GET, get)));
  if (!fd) return fail_errno("open " + pin.string());
  bpf_map_info info{};
  bpf_attr ask{};
  ask.info.bpf_fd = static_cast<std::uint32_t>(fd.get());
  ask.info.info_len = sizeof(info);
  ask.info.info = address(&info);
  if (bpf(BPF_OBJ_GET_INFO_BY_FD, ask) != 0) return fail_errno("look at " + pin.string());
  if (info.key_size != key_bytes || info.value_size != value_bytes) {
    return fail(Code::kFailedPrecondition,
                pin.string() + " was written by another version of Ward");
  }
  return BpfMap(std::move(fd));
}

Result<void> BpfMap::put(const void* key, const void* value) const {
  bpf_attr attributes{};
  attributes.map_fd = static_cast<std::uint32_t>(fd_.get());
  attributes.key = address(key);
  attributes.value = address(value);
  attributes.flags = BPF_ANY;
  if (bpf(BPF_MAP_UPDATE_ELEM, attributes) != 0) return fail_errno("write into a BPF map");
  return {};
}

Result<void> BpfMap::erase(const void* key) const {
  bpf_attr attributes{};
  attributes.map_fd = static_cast<std::uint32_t>(fd_.get());
  attributes.key = address(key);
  if (bpf(BPF_MAP_DELETE_ELEM, attributes) != 0) return fail_errno("remove from a BPF map");
  return {};
}

}  // namespace ward
