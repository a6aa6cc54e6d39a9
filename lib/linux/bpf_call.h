// SPDX-License-Identifier: Apache-2.0
// The bare bpf(2) calls that cut a cgroup off the network: a two-instruction program that drops
// every packet, attached to both directions. Needs no libbpf; used where linking it would cost more
// than the feature.
// Source: bpf(2), Documentation/bpf/prog_cgroup_sockopt.rst (attach flags), include/uapi/linux/bpf.h
#pragma once

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward {

Result<UniqueFd> load_packet_drop();  // a BPF_PROG_TYPE_CGROUP_SKB program that returns 0

// Attached programs stay when the descriptor is closed, until detached or until the cgroup is
// removed.
Result<void> attach_packet_drop(const UniqueFd& program, int cgroup_directory);
Result<void> detach_packet_drop(const UniqueFd& program, int cgroup_directory);

// How many programs (ours and others') filter packets of the cgroup in that direction.
Result<unsigned> count_packet_filters(int cgroup_directory, bool ingress);

}  // namespace ward
