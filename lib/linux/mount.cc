// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/mount.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <optional>

#include "lib/base/file.h"
#include "lib/base/scope_exit.h"
#include "lib/linux/idmapped_mount.h"
#include "lib/linux/loop_device.h"

namespace ward {
namespace {

struct Word {
  std::string_view name;
  unsigned long flag;
  bool clears;
};

constexpr Word kFlagWords[] = {
    {"async", MS_SYNCHRONOUS, true},
    {"atime", MS_NOATIME, true},
    {"bind", MS_BIND, false},
    {"defaults", 0, false},
    {"dev", MS_NODEV, true},
    {"diratime", MS_NODIRATIME, true},
    {"dirsync", MS_DIRSYNC, false},
    {"exec", MS_NOEXEC, true},
    {"mand", MS_MANDLOCK, false},
    {"noatime", MS_NOATIME, false},
    {"nodev", MS_NODEV, false},
    {"nodiratime", MS_NODIRATIME, false},
    {"noexec", MS_NOEXEC, false},
    {"nomand", MS_MANDLOCK, true},
    {"norelatime", MS_RELATIME, true},
    {"nostrictatime", MS_STRICTATIME, true},
    {"nosuid", MS_NOSUID, false},
    {"rbind", MS_BIND | MS_REC, false},
    {"relatime", MS_RELATIME, false},
    {"remount", MS_REMOUNT, false},
    {"ro", MS_RDONLY, false},
    {"rw", MS_RDONLY, true},
    {"strictatime", MS_STRICTATIME, false},
    {"suid", MS_NOSUID, true},
    {"sync", MS_SYNCHRONOUS, false},
};

constexpr Word kPropagationWords[] = {
    {"private", MS_PRIVATE, false},       {"rprivate", MS_PRIVATE | MS_REC, false},
    {"shared", MS_SHARED, false},         {"rshared", MS_SHARED | MS_REC, false},
    {"slave", MS_SLAVE, false},           {"rslave", MS_SLAVE | MS_REC, false},
    {"unbindable", MS_UNBINDABLE, false}, {"runbindable", MS_UNBINDABLE | MS_REC, false},
};

const Word* find_word(const Word* begin, const Word* end, std::string_view name) {
  const Word* found = std::find_if(begin, end, [name](const Word& w) { return w.name == name; });
  return found == end ? nullptr : found;
}

// mountinfo writes space, tab, newline and backslash as three octal digits.
std::string unescape_octal(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      result += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                  (text[i + 3] - '0'));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

constexpr std::size_t kLargestMountinfo = 64U << 20U;
constexpr std::string_view kUidMap = "uidmap=";
constexpr std::string_view kGidMap = "gidmap=";

// Where in overlay's data the paths of lowerdir stand.
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
};
std::optional<Range> find_lower_directories(const std::string& data) {
  constexpr std::string_view kKey = "lowerdir=";
  const auto at = data.compare(0, kKey.size(), kKey) == 0 ? 0 : data.find("," + std::string(kKey));
  if (at == std::string::npos) return std::nullopt;
  const auto begin = at + (at == 0 ? 0 : 1) + kKey.size();
  return Range{begin, std::min(data.find(',', begin), data.size())};
}

}  // namespace

MountOptions parse_mount_options(const std::vector<std::string>& words) {
  MountOptions result;
  for (const auto& word : words) {
    if (const Word* flag = find_word(std::begin(kFlagWords), std::end(kFlagWords), word)) {
      if (flag->clears) {
        result.flags &= ~flag->flag;
      } else {
        result.flags |= flag->flag;
      }
    } else if (const Word* propagation =
                   find_word(std::begin(kPropagationWords), std::end(kPropagationWords), word)) {
      result.propagation |= propagation->flag;
    } else if (word == "loop") {
      result.loop = true;
    } else if (word.compare(0, kUidMap.size(), kUidMap) == 0) {
      result.uid_map = word.substr(kUidMap.size());
    } else if (word.compare(0, kGidMap.size(), kGidMap) == 0) {
      result.gid_map = word.substr(kGidMap.size());
    } else if (!word.empty() && word.compare(0, 2, "x-") != 0 && word.compare(0, 2, "X-") != 0) {
      if (!result.data.empty()) result.data += ',';
      result.data += word;
    }
  }
  return result;
}

ShortenedData shorten_lower_directories(const std::string& data) {
  const auto found = find_lower_directories(data);
  if (!found) return {{}, data};
  const auto [begin, end] = *found;
  const std::string_view layers = std::string_view(data).substr(begin, end - begin);
  // Escaped colons and commas are not taken apart; such paths are rare and stay as long as they
  // are.
  if (layers.empty() || layers[0] != '/' || layers.find('\\') != std::string_view::npos)
    return {{}, data};
  std::string_view common = layers.substr(0, layers.find(':'));
  common = common.substr(0, common.rfind('/'));
  for (std::string_view rest = layers; !rest.empty();) {
    const auto layer = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(layer.size() + 1, rest.size()));
    while (!common.empty() &&
           (layer.size() <= common.size() + 1 || layer.compare(0, common.size(), common) != 0 ||
            layer[common.size()] != '/')) {
      common = common.substr(0, common.rfind('/'));
    }
  }
  if (common.empty()) return {{}, data};
  std::string shortened = data.substr(0, begin);
  for (std::string_view rest = layers; !rest.empty();) {
    const auto layer = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(layer.size() + 1, rest.size()));
    shortened += layer.substr(common.size() + 1);
    if (!rest.empty()) shortened += ':';
  }
  shortened += data.substr(end);
  return {std::string(common), std::move(shortened)};
}

namespace {

// The working directory is changed for one call, and back whatever happens.
class InDirectory {
 public:
  explicit InDirectory(const std::string& directory) {
    if (directory.empty()) return;
    before_.reset(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    failed_ = !before_ || ::chdir(directory.c_str()) != 0;
  }
  ~InDirectory() {
    if (before_) (void)!::fchdir(before_.get());
  }
  InDirectory(const InDirectory&) = delete;
  InDirectory& operator=(const InDirectory&) = delete;
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  UniqueFd before_;
  bool failed_ = false;
};

Result<void> mount_data(const std::string& what, const std::string& source,
                        const std::filesystem::path& target, const char* type, unsigned long flags,
                        const std::string& data) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  ShortenedData shortened{{}, data};
  if (data.size() >= page && type != nullptr && std::string_view(type) == "overlay") {
    shortened = shorten_lower_directories(data);
  }
  if (shortened.data.size() >= page)
    return fail(Code::kInvalidArgument, what + ": the options are longer than a page");
  const InDirectory in(shortened.directory);
  if (in.failed()) return fail_errno(what + ": enter " + shortened.directory);
  if (::mount(source.c_str(), target.c_str(), type, flags, shortened.data.c_str()) != 0)
    return fail_errno(what);
  return {};
}

Result<void> mount_parsed(const std::string& type, const std::string& source,
                          const std::filesystem::path& target, const MountOptions& options) {
  const std::string what = "mount " + source + " (" + type + ") at " + target.string();
  const char* fs_type = type.empty() || type == "bind" ? nullptr : type.c_str();
  unsigned long flags = options.flags;
  if (type == "bind") flags |= MS_BIND;
  std::string device = source;
  UniqueFd loop;  // until the mount holds it
  if (options.loop) {
    auto attached = attach_loop_device(source, (flags & MS_RDONLY) != 0);
    if (!attached) return fail_with(what, attached.error());
    device = attached->path;
    loop = std::move(attached->descriptor);
  }
  if (auto ok = mount_data(what, device, target, fs_type, flags, options.data); !ok) return ok;
  // A bind mount takes no other flags at first: "bind,ro" needs a second call.
  constexpr unsigned long kBindFlags = MS_BIND | MS_REC;
  if ((flags & MS_BIND) != 0 && (flags & ~kBindFlags) != 0 && (flags & MS_REMOUNT) == 0 &&
      ::mount("", target.c_str(), nullptr,
              (flags & ~static_cast<unsigned long>(MS_REC)) | MS_REMOUNT, nullptr) != 0) {
    return fail_errno(what + ": remount");
  }
  if (options.propagation != 0 &&
      ::mount("", target.c_str(), nullptr, options.propagation, nullptr) != 0) {
    return fail_errno(what + ": propagation");
  }
  return {};
}

// What is mounted at `target`, taken off again.
Result<UniqueFd> lift_mount(const std::filesystem::path& target, MountTree tree) {
  auto clone = clone_mount(target, tree);
  if (::umount2(target.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH) != 0 && clone) {
    return fail_errno("lift the mount at " + target.string());
  }
  return clone;
}

// Overlay itself cannot map ids, its layers can. Their mapped clones need paths while the overlay
// is made: they have them in a small file system at the target, where a shim that dies meanwhile
// leaves nothing that nobody would unmount.
Result<UniqueFd> make_mapped_overlay(const std::string& source, const std::filesystem::path& target,
                                     MountOptions options, const UniqueFd& user_namespace) {
  const auto found = find_lower_directories(options.data);
  if (!found) return fail(Code::kInvalidArgument, "an overlay without lowerdir");
  if (::mount("layers", target.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") !=
      0) {
    return fail_errno("mount a place for layers at " + target.string());
  }
  const ScopeExit take_down([&target] { ::umount2(target.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH); });
  const std::string layers = options.data.substr(found->begin, found->end - found->begin);
  std::string mapped;
  int count = 0;
  for (std::string_view rest = layers; !rest.empty();) {
    const auto layer = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(layer.size() + 1, rest.size()));
    const auto place = target / std::to_string(count++);
    if (::mkdir(place.c_str(), 0700) != 0) return fail_errno("mkdir " + place.string());
    const auto clone = clone_mount(layer, MountTree::kOne);
    if (!clone) return tl::unexpected(clone.error());
    if (auto ok = map_ids(*clone, user_namespace, MountTree::kOne); !ok)
      return fail_with(layer, ok.error());
    if (auto ok = attach_mount(*clone, place); !ok) return tl::unexpected(ok.error());
    mapped += (mapped.empty() ? "" : ":") + place.string();
  }
  options.data.replace(found->begin, found->end - found->begin, mapped);
  if (auto ok = mount_parsed("overlay", source, target, options); !ok)
    return tl::unexpected(ok.error());
  return lift_mount(target, MountTree::kOne);
}

Result<UniqueFd> make_mapped_mount(const std::string& type, const std::string& source,
                                   const std::filesystem::path& target, const MountOptions& options,
                                   const UniqueFd& user_namespace) {
  if (type == "overlay") return make_mapped_overlay(source, target, options, user_namespace);
  if (auto ok = mount_parsed(type, source, target, options); !ok) return tl::unexpected(ok.error());
  const auto tree = (options.flags & MS_REC) != 0 ? MountTree::kWithAllBelow : MountTree::kOne;
  auto mount = lift_mount(target, tree);
  if (!mount) return mount;
  if (auto ok = map_ids(*mount, user_namespace, tree); !ok) return fail_with(source, ok.error());
  return mount;
}

Result<void> mount_mapped(const std::string& type, const std::string& source,
                          const std::filesystem::path& target, const MountOptions& options) {
  if (options.uid_map.empty() || options.gid_map.empty()) {
    return fail(Code::kInvalidArgument, "uidmap and gidmap are given together or not at all");
  }
  const auto uids = parse_id_map(options.uid_map);
  if (!uids) return fail_with("uidmap", uids.error());
  const auto gids = parse_id_map(options.gid_map);
  if (!gids) return fail_with("gidmap", gids.error());
  const auto user_namespace = make_user_namespace(*uids, *gids);
  if (!user_namespace) return tl::unexpected(user_namespace.error());
  const auto mount = make_mapped_mount(type, source, target, options, *user_namespace);
  if (!mount) return tl::unexpected(mount.error());
  return attach_mount(*mount, target);
}

}  // namespace

Result<void> mount_at(const std::string& type, const std::string& source,
                      const std::filesystem::path& target,
                      const std::vector<std::string>& options) {
  const MountOptions parsed = parse_mount_options(options);
  if (parsed.uid_map.empty() && parsed.gid_map.empty())
    return mount_parsed(type, source, target, parsed);
  auto ok = mount_mapped(type, source, target, parsed);
  if (!ok)
    return fail_with("idmapped mount of " + source + " (" + type + ") at " + target.string(),
                     ok.error());
  return ok;
}

Result<std::filesystem::path> resolve_inside(const std::filesystem::path& root,
                                             const std::filesystem::path& below) {
  const std::string what = "'" + below.string() + "' in " + root.string();
  const UniqueFd top(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top) return fail_errno("open " + root.string());
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const UniqueFd found(
      static_cast<int>(::syscall(SYS_openat2, top.get(), below.c_str(), &how, sizeof(how))));
  if (!found) return fail_errno("find " + what);
  char path[PATH_MAX];
  const auto link = "/proc/self/fd/" + std::to_string(found.get());
  const ssize_t n = ::readlink(link.c_str(), path, sizeof(path));
  if (n <= 0 || n == static_cast<ssize_t>(sizeof(path))) return fail_errno("name " + what);
  return std::filesystem::path(std::string(path, static_cast<std::size_t>(n)));
}

std::vector<std::string> find_mounts_below(std::string_view mountinfo, std::string_view path) {
  std::vector<std::string> result;
  while (!mountinfo.empty()) {
    const auto end = std::min(mountinfo.find('\n'), mountinfo.size());
    std::string_view line = mountinfo.substr(0, end);
    mountinfo.remove_prefix(std::min(end + 1, mountinfo.size()));
    for (int field = 0; field < 4; ++field)
      line.remove_prefix(std::min(line.find(' '), line.size() - 1) + 1);
    std::string point = unescape_octal(line.substr(0, line.find(' ')));
    const bool below = point.size() > path.size() && point[path.size()] == '/' &&
                       point.compare(0, path.size(), path) == 0;
    if (point == path || below) result.push_back(std::move(point));
  }
  // mountinfo is in the order of mounting, so backwards is children before parents and the top of a
  // stack first.
  std::reverse(result.begin(), result.end());
  return result;
}

Result<void> unmount_tree(const std::filesystem::path& path) {
  // The usual case, one or a few stacked mounts with nothing below, needs no list of all mounts of
  // the node.
  bool unmounted = false;
  while (::umount2(path.c_str(), UMOUNT_NOFOLLOW) == 0) unmounted = true;
  if (errno == ENOENT || (errno == EINVAL && unmounted)) return {};
  std::error_code error;
  const auto real = std::filesystem::weakly_canonical(path, error);
  auto text = read_file("/proc/self/mountinfo", kLargestMountinfo);
  if (!text) return tl::unexpected(text.error());
  for (const auto& point : find_mounts_below(*text, error ? path.string() : real.string())) {
    if (::umount2(point.c_str(), UMOUNT_NOFOLLOW) == 0 || errno == EINVAL || errno == ENOENT)
      continue;
    if (::umount2(point.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH) != 0)
      return fail_errno("unmount " + point);
  }
  return {};
}

}  // namespace ward
