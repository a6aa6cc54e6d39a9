// SPDX-License-Identifier: Apache-2.0
#include "shim/admission/own_filter.h"

#include <cstring>
#include <string>
#include <vector>

#include "lib/linux/bounded_child.h"

namespace ward::shim::admission {
namespace {

// What the child hands back: a program, or why there is none.
constexpr char kProgram = 'p';
constexpr char kRefused = 'r';

std::string compile(const oci::Seccomp& seccomp, const oci::RuntimeHabits& habits) {
  const auto program = oci::make_runtime_filter(seccomp, habits);
  if (!program) return kRefused + program.error().message;
  const auto& instructions = program->instructions();
  return kProgram +
         std::string(reinterpret_cast<const char*>(instructions.data()), instructions.size() * sizeof(sock_filter));
}

}  // namespace

Result<oci::OwnFilter> make_own_filter(const oci::Seccomp& seccomp, const oci::RuntimeHabits& habits) {
  const auto made = run_in_bounded_child([&] { return compile(seccomp, habits); }, Bounds{});
  if (!made) {
    return fail_with(
        "libseccomp makes no program of it (conditions that compare by order, or very many rules of one "
        "call, are the usual reason)",
        made.error());
  }
  if (made->empty() || made->front() != kProgram) {
    return fail(Code::kInvalidArgument, made->substr(std::min<std::size_t>(1, made->size())));
  }
  std::vector<sock_filter> instructions((made->size() - 1) / sizeof(sock_filter));
  std::memcpy(instructions.data(), made->data() + 1, instructions.size() * sizeof(sock_filter));
  auto program = oci::FilterProgram::check(std::move(instructions));
  if (!program) return tl::unexpected(std::move(program).error());
  return oci::OwnFilter(*std::move(program), oci::lists_native_arch(seccomp));
}

}  // namespace ward::shim::admission
