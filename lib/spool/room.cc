// SPDX-License-Identifier: Apache-2.0
#include "lib/spool/room.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "lib/base/digest.h"

namespace ward {
namespace {

constexpr std::size_t kHashCharacters = 16;

std::string short_hash(const std::string& text) {
  return sha256_hex(text).substr(0, kHashCharacters);
}

struct Use {
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  void add(std::uint64_t size, bool is_own) {
    bytes += size;
    files += is_own ? 0 : 1;
  }
};

std::uint64_t left(const Use& use, const SpoolLimits& limits, std::uint64_t share) {
  const std::uint64_t most = limits.max_bytes / share;
  return use.files >= limits.max_files / share || use.bytes >= most ? 0 : most - use.bytes;
}

}  // namespace

std::string spool_prefix(const SpoolOwner& owner) {
  return short_hash(owner.group) + "." + short_hash(owner.group + '\0' + owner.owner) + ".";
}

Result<std::uint64_t> spool_room(const std::filesystem::path& directory, const SpoolOwner& owner,
                                 std::string_view own, const SpoolLimits& limits,
                                 std::uint64_t wanted) {
  const std::string owner_prefix = spool_prefix(owner);
  const std::string group_prefix = owner_prefix.substr(0, kHashCharacters + 1);
  Use all;
  Use of_group;
  Use of_owner;
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), &::closedir);
  if (!open && errno != ENOENT) return fail_errno("read '" + directory.string() + "'");
  while (const dirent* entry = open ? ::readdir(open.get()) : nullptr) {
    struct stat file {};
    if (::fstatat(::dirfd(open.get()), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISREG(file.st_mode)) continue;
    const std::string_view name(entry->d_name);
    const auto size = static_cast<std::uint64_t>(file.st_size);
    all.add(size, name == own);
    if (name.rfind(group_prefix, 0) == 0) of_group.add(size, name == own);
    if (name.rfind(owner_prefix, 0) == 0) of_owner.add(size, name == own);
  }
  const std::uint64_t in_all = left(all, limits, 1);
  const std::uint64_t in_group = left(of_group, limits, kSpoolShareOfGroup);
  const std::uint64_t in_owner = left(of_owner, limits, kSpoolShareOfOwner);
  const std::uint64_t room =
      std::min({in_all, in_group, in_owner, std::max(kSpoolPieceBytes, wanted)});
  if (room >= wanted) return room;
  const char* whose = in_all < wanted     ? ""
                      : in_group < wanted ? "half that one group may hold of "
                                          : "quarter that one owner may hold of ";
  return fail(Code::kResourceExhausted,
              std::string("the ") + whose + "the spool directory is full");
}

}  // namespace ward
