// SPDX-License-Identifier: Apache-2.0
#include "cli/applied/spec_filter.h"

#include <cstring>
#include <system_error>

#include "lib/base/escape.h"
#include "lib/linux/bounded_child.h"
#include "lib/oci/bundle.h"
#include "profiles/filter/runtime_filter.h"

namespace ward::cli {
namespace {

// A name that is one step of a path, and no other directory.
bool is_plain(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

constexpr char kProgram = 'p';
constexpr char kRefused = 'r';

// libseccomp does not come back from some sets of rules, and a container's own may be a tenant's.
Result<SeccompProgram> compile(const oci::Seccomp& seccomp, const filter::RuntimeHabits& habits) {
  const auto made = run_in_bounded_child(
      [&] {
        const auto program = filter::make_runtime_filter(seccomp, habits);
        if (!program) return kRefused + program.error().message;
        const auto& instructions = program->instructions();
        return kProgram + std::string(reinterpret_cast<const char*>(instructions.data()),
                                      instructions.size() * sizeof(sock_filter));
      },
      Bounds{});
  if (!made) return tl::unexpected<Error>(made.error());
  if (made->empty() || made->front() != kProgram)
    return fail(Code::kInvalidArgument, made->empty() ? "" : made->substr(1));
  SeccompProgram program((made->size() - 1) / sizeof(sock_filter));
  std::memcpy(program.data(), made->data() + 1, program.size() * sizeof(sock_filter));
  return program;
}

}  // namespace

Result<std::filesystem::path> find_bundle(pid_t shim, const std::string& containerd_namespace,
                                          const std::string& id,
                                          const std::filesystem::path& proc) {
  if (!is_plain(containerd_namespace) || !is_plain(id))
    return fail(Code::kInvalidArgument, "'" + escape(id) + "' is no name of a container");
  std::error_code error;
  const auto log = std::filesystem::read_symlink(proc / std::to_string(shim) / "fd" / "2", error);
  if (error) return fail_errno("the bundle: look at shim " + std::to_string(shim), error.value());
  // <bundles>/<namespace>/<first container>/log, whose directory may be gone.
  const auto bundles = log.parent_path().parent_path().parent_path();
  if (log.parent_path().parent_path().filename() != containerd_namespace || bundles.empty())
    return fail(Code::kNotFound, "the bundle: shim " + std::to_string(shim) + " keeps no log open");
  return bundles / containerd_namespace / id;
}

Result<SpecFilter> read_spec_filter(const std::filesystem::path& bundle) {
  SpecFilter out;
  out.file = bundle / "config.json";
  const auto config = oci::Config::read(bundle);
  if (!config) return tl::unexpected<Error>(config.error());
  const auto seccomp = config->seccomp();
  if (!seccomp) return fail_with("'" + out.file.string() + "'", seccomp.error());
  out.has_filter = seccomp->has_value();
  if (!out.has_filter) return out;
  for (const bool stub : {true, false}) {
    if (!stub && !filter::depends_on_habits(**seccomp)) break;
    auto program = compile(**seccomp, {.stub_where_unlisted = stub});
    if (!program) return fail_with("'" + out.file.string() + "'", program.error());
    out.programs.push_back(std::move(*program));
  }
  return out;
}

}  // namespace ward::cli
