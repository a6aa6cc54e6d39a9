// SPDX-License-Identifier: Apache-2.0
#include "enforcer/node_claim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "lib/base/escape.h"

namespace ward::enforcer {
namespace {

// Sockets and state below these are protected by the directories' modes: one that another user
// could have prepared is not used.
Result<void> make_private_directory(const std::filesystem::path& path) {
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno("create '" + path.string() + "'");
  const UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return fail_errno("open directory '" + path.string() + "'");
  struct stat status {};
  if (::fstat(directory.get(), &status) != 0) return fail_errno("stat '" + path.string() + "'");
  if (status.st_uid != ::geteuid()) {
    return fail(Code::kPermissionDenied, "'" + path.string() + "' belongs to uid " +
                                             std::to_string(status.st_uid) +
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

bool is_file_at(const UniqueFd& held, const std::filesystem::path& path) {
  struct stat ours {};
  struct stat found {};
  return held && ::fstat(held.get(), &ours) == 0 && ::lstat(path.c_str(), &found) == 0 &&
         ours.st_dev == found.st_dev && ours.st_ino == found.st_ino;
}

std::filesystem::path lock_of(const std::filesystem::path& directory) {
  return directory / "wardd.lock";
}

// True where it is ours now, false where another has it.
Result<bool> try_lock(const UniqueFd& file, const std::filesystem::path& path) {
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return true;
  if (errno != EWOULDBLOCK) return fail_errno("lock '" + path.string() + "'");
  return false;
}

}  // namespace

NodeClaim::NodeClaim(const Places& places)
    : owned_{places.state,   places.run,        places.compiled(),
             places.spool(), places.evidence(), places.api_socket().parent_path()},
      holder_("process " + std::to_string(::getpid()) + ", run directory '" + places.run.string() +
              "', state directory '" + places.state.string() + "'") {
  claimed_.push_back({places.run, {}, {}});
  claimed_.push_back({places.state, {}, {}});
}

// A disk that takes no file leaves the directory's lock, and a wardd that says what is wrong with
// it (N05). What is held already is locked by us: only what differs is opened.
Result<void> NodeClaim::claim(Claimed& claimed) const {
  const auto path = lock_of(claimed.directory);
  UniqueFd directory;
  if (!is_file_at(claimed.held_directory, claimed.directory)) {
    directory.reset(::open(claimed.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return fail_errno("open '" + claimed.directory.string() + "'");
  }
  UniqueFd file;
  if (!is_file_at(claimed.held_file, path)) {
    file.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file && !takes_no_file(errno)) return fail_errno("open '" + path.string() + "'");
  }
  for (const UniqueFd* found : {&directory, &file}) {
    if (!*found) continue;
    const auto locked = try_lock(*found, path);
    if (!locked) return tl::unexpected<Error>(locked.error());
    if (*locked) continue;
    const std::string other = read_holder(file);
    return fail(Code::kAlreadyExists, "another wardd serves '" + claimed.directory.string() + "'" +
                                          (other.empty() ? "" : " (" + other + ")"));
  }
  if (file &&
      (::ftruncate(file.get(), 0) != 0 ||
       ::pwrite(file.get(), holder_.data(), holder_.size(), 0) < 0) &&
      !takes_no_file(errno)) {
    return fail_errno("write '" + path.string() + "'");
  }
  if (directory) claimed.held_directory = std::move(directory);
  if (file) claimed.held_file = std::move(file);
  return {};
}

Result<void> NodeClaim::keep() {
  for (const auto& path : owned_) {
    if (auto made = make_private_directory(path); !made) return made;
  }
  for (Claimed& each : claimed_) {
    if (auto claimed = claim(each); !claimed) return claimed;
  }
  return {};
}

Result<NodeClaim> NodeClaim::take(const Places& places) {
  NodeClaim out(places);
  if (auto claimed = out.keep(); !claimed) return tl::unexpected<Error>(claimed.error());
  return out;
}

}  // namespace ward::enforcer
