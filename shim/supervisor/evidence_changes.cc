// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/evidence_changes.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <sstream>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "shim/supervisor/evidence_mapped.h"

namespace ward::shim::supervisor {
namespace {

constexpr std::size_t kMountsBytes = 4U << 20U;
constexpr std::size_t kMaxDirectories = 20'000;  // that wait to be read
constexpr std::size_t kMaxRelativeBytes = 4000;  // of a path that one call can take
constexpr int kEntriesBetweenClocks = 256;

UniqueFd open_inside(int root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof(how))));
}

// "\040" of the mount table back to what it stands for.
std::string unescape_octal(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && i + 3 < text.size() && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

bool has_attribute(int directory, const std::string& name, const char* attribute) {
  const std::string path = "/proc/self/fd/" + std::to_string(directory) + "/" + name;
  return ::lgetxattr(path.c_str(), attribute, nullptr, 0) > 0;
}

struct Change {
  std::string path;  // raw, within the layer
  struct stat status {};
  bool copied_up = false;  // it was in a lower layer
  bool opaque = false;     // a directory that hides the one of a lower layer
};

class Walk {
 public:
  Walk(int upper, const ChangeBounds& bounds) : upper_(upper), bounds_(bounds) {}

  void run() {
    waiting_.emplace_back();
    while (!waiting_.empty() && why_.empty()) {
      const std::string directory = std::move(waiting_.front());
      waiting_.pop_front();
      read_directory(directory);
    }
  }
  std::vector<Change>& changes() { return changes_; }
  [[nodiscard]] const std::string& why() const { return why_; }
  [[nodiscard]] bool too_deep() const { return too_deep_; }

 private:
  void read_directory(const std::string& path) {
    UniqueFd fd = open_inside(upper_, path.empty() ? "." : path, O_RDONLY | O_DIRECTORY);
    if (!fd) return;
    const int at = fd.get();
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd.get()), ::closedir);
    if (!stream) return;
    (void)fd.release();
    while (const dirent* entry = ::readdir(stream.get())) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (++entries_ > bounds_.entries) why_ = "more entries than are looked at";
      if (entries_ % kEntriesBetweenClocks == 0 && monotonic_ns() > bounds_.ends_ns)
        why_ = "no time was left for more";
      if (!why_.empty()) return;
      look_at(at, path, name);
    }
  }

  void look_at(int directory, const std::string& parent, const std::string& name) {
    Change change;
    if (::fstatat(directory, name.c_str(), &change.status, AT_SYMLINK_NOFOLLOW) != 0) return;
    change.path = parent.empty() ? name : parent + "/" + name;
    name_bytes_ += change.path.size();
    if (name_bytes_ > bounds_.name_bytes) {
      why_ = "names too long for more";
      return;
    }
    if (!S_ISDIR(change.status.st_mode)) {
      change.copied_up = has_attribute(directory, name, "trusted.overlay.origin");
      changes_.push_back(std::move(change));
      return;
    }
    if (change.path.size() > kMaxRelativeBytes || waiting_.size() >= kMaxDirectories) {
      too_deep_ = true;
    } else {
      waiting_.push_back(change.path);
    }
    change.opaque = has_attribute(directory, name, "trusted.overlay.opaque");
    if (change.opaque) changes_.push_back(std::move(change));
  }

  int upper_;
  const ChangeBounds& bounds_;
  std::deque<std::string> waiting_;
  std::vector<Change> changes_;
  std::size_t entries_ = 0;
  std::size_t name_bytes_ = 0;
  std::string why_;
  bool too_deep_ = false;
};

const char* type_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return "file";
    case S_IFDIR: return "directory";
    case S_IFLNK: return "link";
    case S_IFIFO: return "fifo";
    case S_IFSOCK: return "socket";
    default: return "device";
  }
}

bool is_whiteout(const struct stat& status) {
  return S_ISCHR(status.st_mode) && status.st_rdev == ::makedev(0, 0);
}

std::string read_all(int fd, std::size_t bytes) {
  std::string content(bytes, '\0');
  const ssize_t n = ::pread(fd, content.data(), bytes, 0);
  content.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return content;
}

class Listing {
 public:
  Listing(int upper, const ChangeBounds& bounds, const PartSink& sink)
      : upper_(upper),
        bounds_(bounds),
        sink_(sink),
        hashes_{bounds.hashed_file_bytes, bounds.hashed_bytes, bounds.ends_ns} {}

  Json describe(const Change& change) {
    const bool deleted = is_whiteout(change.status);
    Json one = {{"path", "/" + escape(change.path, kMaxPathBytes)},
                {"change", deleted                             ? "deleted"
                           : change.copied_up || change.opaque ? "modified"
                                                               : "added"}};
    if (deleted) return one;
    one["type"] = type_of(change.status.st_mode);
    one["bytes"] = S_ISREG(change.status.st_mode) ? change.status.st_size : 0;
    one["mode"] = change.status.st_mode & 07777U;
    one["changed_wall_ns"] =
        change.status.st_ctim.tv_sec * 1'000'000'000LL + change.status.st_ctim.tv_nsec;
    if (S_ISREG(change.status.st_mode)) add_content(change, one);
    return one;
  }

 private:
  void add_content(const Change& change, Json& one) {
    const UniqueFd fd = open_inside(upper_, change.path, O_RDONLY);
    std::string why = "it cannot be opened";
    const std::string sha256 = fd ? hash_file(fd.get(), hashes_, why) : "";
    if (sha256.empty()) {
      one["not_hashed"] = why;
      return;
    }
    one["sha256"] = sha256;
    const auto size = static_cast<std::size_t>(change.status.st_size);
    if (size == 0 || size > bounds_.copy_bytes || copies_ == bounds_.copies) return;
    const std::string name = std::string(kCopyPrefix) + std::to_string(++copies_);
    sink_.give(std::string(kFilePrefix) + name, read_all(fd.get(), size));
    one["copied_as"] = name;
  }

  int upper_;
  const ChangeBounds& bounds_;
  const PartSink& sink_;
  HashBounds hashes_;
  std::size_t copies_ = 0;
};

}  // namespace

std::string find_upper_directory(const std::string& mountinfo,
                                 const std::filesystem::path& rootfs) {
  std::istringstream lines(mountinfo);
  std::string upper;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    std::string point;
    for (int i = 0; i < 5 && words >> word; ++i) point = word;
    if (unescape_octal(point) != rootfs.string()) continue;
    while (words >> word && word != "-") {
    }
    std::string type;
    std::string source;
    std::string options;
    words >> type >> source >> options;
    upper.clear();  // the last mount covers those before it
    if (type != "overlay") continue;
    std::istringstream list(options);
    for (std::string option; std::getline(list, option, ',');) {
      if (option.rfind("upperdir=", 0) == 0) upper = unescape_octal(option.substr(9));
    }
  }
  return !upper.empty() && upper.front() == '/' ? upper : "";
}

UniqueFd open_upper_directory(const EvidenceRequest& request, std::string& why) {
  if (request.bundle.empty()) {
    why = "the bundle is not known";
    return {};
  }
  std::error_code error;
  const auto bundle = std::filesystem::canonical(request.bundle, error);
  const std::string upper =
      find_upper_directory(read_prefix("/proc/self/mountinfo", kMountsBytes), bundle / "rootfs");
  if (error || upper.empty()) {
    why = "its root file system is no overlay with a writable layer";
    return {};
  }
  UniqueFd fd(::open(upper.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) why = "its writable layer cannot be opened";
  return fd;
}

void read_changes(int upper, const ChangeBounds& bounds, const PartSink& sink, LeftOut& left_out) {
  Walk walk(upper, bounds);
  walk.run();
  auto& changes = walk.changes();
  if (!walk.why().empty()) left_out.add("changed_files", walk.why());
  if (walk.too_deep()) left_out.add("changed_files", "directories too deep, or too many");
  const std::size_t in_all = changes.size();
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
    const auto time = [](const Change& one) {
      return std::pair(one.status.st_ctim.tv_sec, one.status.st_ctim.tv_nsec);
    };
    return time(a) > time(b);
  });
  if (in_all > bounds.listed) {
    left_out.add("changed_files",
                 "the newest " + std::to_string(bounds.listed) + " of " + std::to_string(in_all));
    changes.resize(bounds.listed);
  }
  Listing listing(upper, bounds, sink);
  Json list = Json::array();
  for (const Change& change : changes) list.push_back(listing.describe(change));
  sink.give("changed_files", list.dump());
  sink.give("changed_files_in_all", Json(in_all).dump());
}

}  // namespace ward::shim::supervisor
