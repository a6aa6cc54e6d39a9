// SPDX-License-Identifier: Apache-2.0
#include "cli/node/binaries.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

#include "cli/node/program.h"
#include "lib/base/fault.h"
#include "lib/base/file.h"
#include "lib/base/scope_exit.h"
#include "lib/base/unique_fd.h"
#include "lib/linux/process_info.h"

namespace ward::cli::node {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kDeleted = " (deleted)";

fs::path beside(const fs::path& target, const char* what) {
  return target.parent_path() / ("." + target.filename().string() + what);
}
fs::path new_of(const fs::path& target) { return beside(target, ".new"); }
fs::path before_of(const fs::path& target) { return beside(target, ".before"); }

Result<void> copy_program(const fs::path& source, const fs::path& copy) {
  const UniqueFd from(::open(source.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from) return fail_errno("open '" + source.string() + "'");
  // A name of its own: whoever was killed here left one behind that may be half a program.
  ::unlink(copy.c_str());
  const UniqueFd to(::open(copy.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755));
  if (!to) return fail_errno("make '" + copy.string() + "'");
  const std::string what = "write '" + copy.string() + "'";
  for (;;) {
    const ssize_t n = ::sendfile(to.get(), from.get(), nullptr, std::size_t{16} << 20U);
    if (n == 0) break;
    if (n < 0 && errno != EINTR) return fail_errno(what);
  }
  if (::fchmod(to.get(), 0755) != 0 || ::fsync(to.get()) != 0) return fail_errno(what);
  return {};
}

// What a link of /proc says of the file at `path`; `deleted`: of one that stood there before.
bool runs(const std::string& exe, const std::string& path, bool& deleted) {
  deleted = exe == path + std::string(kDeleted);
  return deleted || exe == path;
}

// What went meanwhile is not there; what cannot be read may hold a bundle that names the shim.
void note_unknown(const fs::path& path, const std::error_code& error, ShimUse& use) {
  if (error && error != std::errc::no_such_file_or_directory)
    use.unknown = "read '" + path.string() + "': " + error.message();
}

void find_bundles(const fs::path& shim, const fs::path& bundles, ShimUse& use) {
  std::error_code error;
  fs::directory_iterator spaces(bundles, error);
  for (const fs::directory_iterator end; !error && spaces != end; spaces.increment(error)) {
    std::error_code inner;
    fs::directory_iterator one(spaces->path(), inner);
    for (; !inner && one != end; one.increment(inner)) {
      const auto text = read_file(one->path() / "shim-binary-path");
      if (!text && text.error().code != Code::kNotFound) use.unknown = text.error().message;
      std::string named = text.value_or("");
      while (!named.empty() && named.back() == '\n') named.pop_back();
      std::error_code other;
      if (!named.empty() && (named == shim.string() || fs::equivalent(named, shim, other)))
        use.bundles.push_back(spaces->path().filename().string() + "/" +
                              one->path().filename().string());
    }
    note_unknown(spaces->path(), inner, use);
  }
  note_unknown(bundles, error, use);
}

}  // namespace

fs::path own_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

std::vector<std::string> programs_in(const fs::path& folder) {
  std::vector<std::string> found;
  std::error_code error;
  for (const char* name : {kShim, "ward-inspect", "wardd", "ward"})
    if (fs::is_regular_file(folder / name, error)) found.emplace_back(name);
  return found;
}

Result<std::string> shim_version(const fs::path& shim) {
  const auto ran = run_program({shim.string(), "-v"}, std::chrono::seconds(10));
  if (!ran) return tl::unexpected(ran.error());
  constexpr std::string_view kVersion = "Version: ";
  const auto at = ran->out.find(kVersion);
  if (ran->status != 0 || at == std::string::npos)
    return fail(Code::kFailedPrecondition,
                "'" + shim.string() + "' does not run on this node: " + last_words(*ran));
  std::istringstream words(ran->out.substr(at + kVersion.size()));
  std::string version;
  words >> version;
  return version;
}

bool same_bytes(const fs::path& one, const fs::path& other) {
  std::error_code error;
  if (fs::equivalent(one, other, error)) return true;
  if (fs::file_size(one, error) != fs::file_size(other, error) || error) return false;
  std::ifstream a(one, std::ios::binary), b(other, std::ios::binary);
  std::vector<char> one_block(std::size_t{1} << 20U), other_block(one_block.size());
  while (a && b) {
    a.read(one_block.data(), static_cast<std::streamsize>(one_block.size()));
    b.read(other_block.data(), static_cast<std::streamsize>(other_block.size()));
    if (a.gcount() != b.gcount() ||
        !std::equal(one_block.begin(), one_block.begin() + a.gcount(), other_block.begin()))
      return false;
  }
  return a.eof() && b.eof();
}

Result<bool> put_program(const fs::path& source, const fs::path& target) {
  if (same_bytes(source, target)) return false;
  const fs::path fresh = new_of(target), before = before_of(target);
  const ScopeExit clean([&fresh] { ::unlink(fresh.c_str()); });
  if (auto copied = copy_program(source, fresh); !copied) return tl::unexpected(copied.error());
  if (auto fault = fault::point("node.program." + target.filename().string()); !fault)
    return tl::unexpected(fault.error());
  // One that is there is of an installation that was killed: it is the one to go back to.
  if (::link(target.c_str(), before.c_str()) != 0 && errno != ENOENT && errno != EEXIST)
    return fail_errno("keep '" + target.string() + "'");
  // Not a copy over it: a program that runs cannot be written ("Text file busy").
  if (::rename(fresh.c_str(), target.c_str()) != 0)
    return fail_errno("put '" + target.string() + "' into its place");
  return true;
}

void put_back(const fs::path& target) {
  ::rename(before_of(target).c_str(), target.c_str());
  ::unlink(new_of(target).c_str());
}

void forget_before(const fs::path& target) {
  ::unlink(before_of(target).c_str());
  ::unlink(new_of(target).c_str());
}

ShimUse find_use(const fs::path& shim, const fs::path& state) {
  ShimUse use;
  find_bundles(shim, state / "io.containerd.runtime.v2.task", use);
  std::error_code error;
  const fs::path resolved = fs::weakly_canonical(shim, error);
  fs::directory_iterator entry("/proc", error);
  for (const fs::directory_iterator end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    pid_t pid = 0;
    const auto read = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (read.ec != std::errc() || read.ptr != name.data() + name.size()) continue;
    bool older = false;
    const std::string exe = read_exe(pid);
    if (!runs(exe, resolved.string(), older)) continue;
    (older ? use.older : use.current).push_back(pid);
  }
  note_unknown("/proc", error, use);
  std::sort(use.bundles.begin(), use.bundles.end());
  return use;
}

}  // namespace ward::cli::node
