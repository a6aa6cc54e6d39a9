// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/bpf_call.h"

#include <linux/bpf.h>
#include <sys/syscall.h>

#include <array>
#include <cstdint>

namespace ward {
namespace {

long bpf(int command, bpf_attr& attributes) {
  return ::syscall(SYS_bpf, command, &attributes, sizeof(attributes));
}

long change(int command, const UniqueFd& program, int cgroup_directory, bpf_attach_type direction) {
  bpf_attr attributes{};
  attributes.target_fd = static_cast<std::uint32_t>(cgroup_directory);
  attributes.attach_bpf_fd = static_cast<std::uint32_t>(program.get());
  attributes.attach_type = direction;
  // MULTI: whoever else filters this cgroup keeps doing so; one "drop" among them is enough.
  if (command == BPF_PROG_ATTACH) attributes.attach_flags = BPF_F_ALLOW_MULTI;
  return bpf(command, attributes);
}

}  // namespace

Result<UniqueFd> load_packet_drop() {
  // r0 = 0; exit: verdict 0 is "drop" for a cgroup_skb program.
  const std::array<bpf_insn, 2> program{
      bpf_insn{.code = BPF_ALU64 | BPF_MOV | BPF_K,
               .dst_reg = BPF_REG_0,
               .src_reg = 0,
               .off = 0,
               .imm = 0},
      bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  static const char license[] = "Apache-2.0";
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_CGROUP_SKB;
  attributes.insns = reinterpret_cast<std::uintptr_t>(program.data());
  attributes.insn_cnt = program.size();
  attributes.license = reinterpret_cast<std::uintptr_t>(license);
  attributes.expected_attach_type = BPF_CGROUP_INET_INGRESS;
  UniqueFd fd(static_cast<int>(bpf(BPF_PROG_LOAD, attributes)));
  if (!fd) return fail_errno("bpf(PROG_LOAD, cgroup_skb drop)");
  return fd;
}

Result<void> attach_packet_drop(const UniqueFd& program, int cgroup_directory) {
  for (const auto direction : {BPF_CGROUP_INET_INGRESS, BPF_CGROUP_INET_EGRESS}) {
    // EINVAL: the very same program is attached there already.
    if (change(BPF_PROG_ATTACH, program, cgroup_directory, direction) != 0 && errno != EINVAL) {
      const int error = errno;
      (void)detach_packet_drop(program, cgroup_directory);
      return fail_errno("bpf(PROG_ATTACH, cgroup_skb drop)", error);
    }
  }
  return {};
}

Result<void> detach_packet_drop(const UniqueFd& program, int cgroup_directory) {
  int first_error = 0;
  for (const auto direction : {BPF_CGROUP_INET_INGRESS, BPF_CGROUP_INET_EGRESS}) {
    if (change(BPF_PROG_DETACH, program, cgroup_directory, direction) != 0 && errno != ENOENT &&
        first_error == 0) {
      first_error = errno;
    }
  }
  if (first_error != 0) return fail_errno("bpf(PROG_DETACH, cgroup_skb drop)", first_error);
  return {};
}

Result<unsigned> count_packet_filters(int cgroup_directory, bool ingress) {
  bpf_attr attributes{};
  attributes.query.target_fd = static_cast<std::uint32_t>(cgroup_directory);
  attributes.query.attach_type = ingress ? BPF_CGROUP_INET_INGRESS : BPF_CGROUP_INET_EGRESS;
  if (bpf(BPF_PROG_QUERY, attributes) != 0) return fail_errno("bpf(PROG_QUERY)");
  return attributes.query.prog_cnt;
}

}  // namespace ward
