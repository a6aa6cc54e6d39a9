// SPDX-License-Identifier: Apache-2.0
// The table of how many arguments calls have, beside what the running kernel's types say of those
// that they name.
#include "profiles/filter/syscall_arity.h"

#include <bpf/btf.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace ward::oci {
namespace {

// A call without arguments is given the registers all the same, and does not look at them.
int arguments_of(const btf* types, const btf_type* prototype) {
  const int count = btf_vlen(prototype);
  if (count != 1) return count;
  const btf_type* only = btf__type_by_id(types, btf_params(prototype)[0].type);
  return only != nullptr && btf_is_ptr(only) &&
                 std::string(btf__name_by_offset(types, btf_params(prototype)[0].name_off)) ==
                     "__unused"
             ? 0
             : count;
}

TEST(SyscallArity, IsWhatTheKernelsTypesSay) {
  const std::unique_ptr<btf, decltype(&btf__free)> types(btf__load_vmlinux_btf(), btf__free);
  if (!types) GTEST_SKIP() << "this kernel has no types of its own";
  int compared = 0;
  for (__u32 id = 1; id < btf__type_cnt(types.get()); ++id) {
    const btf_type* function = btf__type_by_id(types.get(), id);
    if (!btf_is_func(function)) continue;
    const std::string name = btf__name_by_offset(types.get(), function->name_off);
    if (name.rfind("__do_sys_", 0) != 0) continue;
    const auto ours = filter::syscall_arity(name.substr(9));
    if (!ours) continue;  // of another name there ("newstat"), or of no table of ours
    ++compared;
    EXPECT_EQ(*ours, arguments_of(types.get(), btf__type_by_id(types.get(), function->type)))
        << name;
  }
  EXPECT_GT(compared, 20);
}

}  // namespace
}  // namespace ward::oci
