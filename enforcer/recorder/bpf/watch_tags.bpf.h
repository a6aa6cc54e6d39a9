// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Which container each task belongs to: one map, which watch.bpf.c fills and sample.bpf.c is given.
// Behind vmlinux.h and the helpers.
#pragma once

#include "profiles/filter/watch_maps.h"

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct ward_watch_tag);
} tags SEC(".maps");
