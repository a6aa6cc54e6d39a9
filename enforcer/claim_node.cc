// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "enforcer/daemon.h"
#include "lib/base/escape.h"

namespace ward::enforcer {
namespace {

// Sockets and state below these are protected by the directories' modes: one that another user could have prepared is
// not used.
Result<void> make_private_directory(const std::filesystem::path& path) {
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("create '" + path.string() + "'");
  const UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return fail_errno("open directory '" + path.string() + "'");
  struct stat status {};
  if (::fstat(directory.get(), &status) != 0) return fail_errno("stat '" + path.string() + "'");
  if (status.st_uid != ::geteuid()) {
    return fail(Code::kPermissionDenied, "'" + path.string() + "' belongs to uid " + std::to_string(status.st_uid) +
                                             ", not to us: remove it or name another directory");
  }
  if ((status.st_mode & 0777U) != 0700 && ::fchmod(directory.get(), 0700) != 0) {
    return fail_errno("chmod '" + path.string() + "'");
  }
  return {};
}

std::string read_holder(const UniqueFd& lock) {
  std::array<char, 4096> text{};
  const ssize_t size = ::pread(lock.get(), text.data(), text.size() - 1, 0);
  return size > 0 ? escape({text.data(), static_cast<std::size_t>(size)}) : "";
}

bool takes_no_file(int error) { return error == EROFS || error == ENOSPC || error == EDQUOT; }

// Both the directory and a file in it, which says who has it: the file may be removed, and another made. A disk that
// takes no file leaves the directory's lock, and a wardd that says what is wrong with it (N05).
Result<void> claim_directory(const std::filesystem::path& path, const std::string& holder, NodeClaim& claim) {
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail_errno("open '" + path.string() + "'");
  const std::string lock_path = path / "wardd.lock";
  UniqueFd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!lock && !takes_no_file(errno)) return fail_errno("open '" + lock_path + "'");
  for (const UniqueFd* claimed : {&directory, &lock}) {
    if (!*claimed) continue;
    if (::flock(claimed->get(), LOCK_EX | LOCK_NB) == 0) continue;
    if (errno != EWOULDBLOCK) return fail_errno("lock '" + lock_path + "'");
    const std::string other = read_holder(lock);
    return fail(Code::kAlreadyExists,
                "another wardd serves '" + path.string() + "'" + (other.empty() ? "" : " (" + other + ")"));
  }
  if (lock && (::ftruncate(lock.get(), 0) != 0 || ::pwrite(lock.get(), holder.data(), holder.size(), 0) < 0) &&
      !takes_no_file(errno)) {
    return fail_errno("write '" + lock_path + "'");
  }
  claim.locks.push_back(std::move(directory));
  claim.locks.push_back(std::move(lock));
  return {};
}

}  // namespace

Result<NodeClaim> claim_node(const Places& places) {
  for (const auto& path : {places.state, places.run, places.compiled(), places.spool(), places.evidence(),
                           places.api_socket().parent_path()}) {
    if (auto made = make_private_directory(path); !made) return tl::unexpected<Error>(made.error());
  }
  const std::string holder = "process " + std::to_string(::getpid()) + ", run directory '" + places.run.string() +
                             "', state directory '" + places.state.string() + "'";
  NodeClaim claim;
  for (const auto& path : {places.run, places.state}) {
    if (auto claimed = claim_directory(path, holder, claim); !claimed) return tl::unexpected<Error>(claimed.error());
  }
  return claim;
}

}  // namespace ward::enforcer
