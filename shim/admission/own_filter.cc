// SPDX-License-Identifier: Apache-2.0
#include "shim/admission/own_filter.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "lib/base/fault.h"
#include "lib/linux/bounded_child.h"

namespace ward::shim::admission {
namespace {

// What the child hands back: a program, or why there is none.
constexpr char kProgram = 'p';
constexpr char kRefused = 'r';

std::string compile(const oci::Seccomp& seccomp, const filter::RuntimeHabits& habits) {
  const auto program = filter::make_runtime_filter(seccomp, habits);
  if (!program) return kRefused + program.error().message;
  const auto& instructions = program->instructions();
  return kProgram + std::string(reinterpret_cast<const char*>(instructions.data()),
                                instructions.size() * sizeof(sock_filter));
}

Result<filter::FilterProgram> compile_under_a_bound(const oci::Seccomp& seccomp,
                                                    const filter::RuntimeHabits& habits) {
  if (auto ok = fault::point("own-filter.compile"); !ok) return tl::unexpected(ok.error());
  const auto made = run_in_bounded_child([&] { return compile(seccomp, habits); }, Bounds{});
  if (!made && made.error().code == Code::kUnavailable) return tl::unexpected(made.error());
  if (!made) {
    return fail_with(
        "libseccomp makes no program of it (conditions that compare by order, or very many rules "
        "of one "
        "call, are the usual reason)",
        made.error());
  }
  if (made->empty() || made->front() != kProgram) {
    return fail(Code::kInvalidArgument, made->substr(std::min<std::size_t>(1, made->size())));
  }
  std::vector<sock_filter> instructions((made->size() - 1) / sizeof(sock_filter));
  std::memcpy(instructions.data(), made->data() + 1, instructions.size() * sizeof(sock_filter));
  return filter::FilterProgram::check(std::move(instructions));
}

// Beyond what clients send a digest costs as much as it may save.
bool is_worth_keeping(const oci::Seccomp& seccomp) {
  constexpr std::size_t kMostParts = 4000;
  std::size_t parts = 0;
  for (const oci::SeccompRule& rule : seccomp.rules)
    parts += 1 + rule.names.size() + rule.args.size();
  return parts <= kMostParts;
}

}  // namespace

Result<filter::OwnFilter> make_own_filter(const oci::Seccomp& seccomp,
                                          const filter::RuntimeHabits& habits,
                                          const FilterCache& cache) {
  if (!is_worth_keeping(seccomp)) {
    auto program = compile_under_a_bound(seccomp, habits);
    if (!program) return tl::unexpected(std::move(program).error());
    return filter::OwnFilter(*std::move(program), seccomp);
  }
  const std::string key = FilterCache::key(seccomp, habits);
  if (auto found = cache.find(key)) return filter::OwnFilter(*std::move(found), seccomp);
  auto program = compile_under_a_bound(seccomp, habits);
  if (!program) return tl::unexpected(std::move(program).error());
  cache.keep(key, *program);
  return filter::OwnFilter(*std::move(program), seccomp);
}

}  // namespace ward::shim::admission
