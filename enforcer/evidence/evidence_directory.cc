// SPDX-License-Identifier: Apache-2.0
#include "enforcer/evidence/evidence_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>

#include "lib/base/log.h"
#include "lib/base/unique_fd.h"
#include "lib/json/json.h"

namespace ward::enforcer {
namespace {

constexpr std::uint64_t kPassesBetweenTries = 60;
constexpr std::size_t kMaxEntries = 4096;      // of one directory, in one pass
constexpr std::size_t kHeadBytes = 8U << 10U;  // of evidence.json: who violated what stands first
constexpr std::int64_t kCollecting_ns = 15'000'000'000;  // a shim kills its collector after 5 s

UniqueFd open_directory(int parent, const char* name) {
  return UniqueFd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

Result<std::vector<std::string>> names_in(int directory) {
  // fdopendir takes the descriptor over, and reading moves its place: hence one of its own.
  UniqueFd own = open_directory(directory, ".");
  if (!own) return fail_errno("open");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own.get()), ::closedir);
  if (!stream) return fail_errno("read");
  (void)own.release();
  std::vector<std::string> names;
  while (names.size() < kMaxEntries) {
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

std::string read_head(int directory, const char* name) {
  const UniqueFd fd(::openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  std::string head(kHeadBytes, '\0');
  std::size_t size = 0;
  while (fd && size < head.size()) {
    const ssize_t n = ::read(fd.get(), head.data() + size, head.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    size += static_cast<std::size_t>(n);
  }
  head.resize(size);
  return head;
}

// A container that is started again and again has a new id each time, and a deployment new pods:
// what stays is where it runs, its image and its profile. The head is cut off somewhere, which is
// no matter: the callback has seen the fields.
std::string workload_of(const std::string& head) {
  using Json = nlohmann::json;
  constexpr std::array<std::string_view, 4> kFields = {"containerd_namespace",
                                                       "kubernetes_namespace", "image", "profile"};
  std::array<std::string, kFields.size()> found;
  std::array<std::string, 2> keys;  // by depth
  const auto see = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth < 1 || depth > 2) return true;
    if (event == Json::parse_event_t::key)
      keys[static_cast<std::size_t>(depth - 1)] = parsed.get<std::string>();
    if (event != Json::parse_event_t::value || depth != 2 || keys[0] != "violation" ||
        !parsed.is_string())
      return true;
    for (std::size_t i = 0; i < kFields.size(); ++i) {
      if (keys[1] == kFields[i]) found[i] = parsed.get<std::string>();
    }
    return true;
  };
  [[maybe_unused]] const Json cut_off = Json::parse(head, see, false);
  std::string workload;
  for (const std::string& field : found) {
    if (!field.empty()) workload += (workload.empty() ? "" : " ") + field;
  }
  return workload;
}

// Absent where it is no directory, or may still grow.
std::optional<EvidenceBundle> look_into(int root, const std::string& name,
                                        std::int64_t now_wall_ns) {
  const UniqueFd directory = open_directory(root, name.c_str());
  struct stat status {};
  if (!directory || ::fstat(directory.get(), &status) != 0) return std::nullopt;
  const std::int64_t changed_ns = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
  const std::int64_t age_ns = now_wall_ns - changed_ns;  // below zero: the clock was set back
  const auto has = [&directory](const char* file) {
    return ::faccessat(directory.get(), file, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  };
  // The collector's last step is to take its marker away: until then its files still change.
  const bool sealed = has("SHA256SUMS") && !has("incomplete.txt");
  if (!sealed && age_ns >= 0 && age_ns < kCollecting_ns) return std::nullopt;
  const auto names = names_in(directory.get());
  if (!names) return std::nullopt;
  EvidenceBundle bundle{name, workload_of(read_head(directory.get(), "evidence.json")), changed_ns,
                        0};
  for (const std::string& file : *names) {
    struct stat of_file {};
    if (::fstatat(directory.get(), file.c_str(), &of_file, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(of_file.st_mode)) bundle.bytes += static_cast<std::uint64_t>(of_file.st_size);
  }
  return bundle;
}

// A bundle is flat: a directory inside is none of ours, and stops it.
Result<void> remove_bundle(int root, const std::string& name) {
  const UniqueFd directory = open_directory(root, name.c_str());
  if (!directory) return fail_errno("open '" + name + "'");
  const auto names = names_in(directory.get());
  if (!names) return fail_with("'" + name + "'", names.error());
  for (const std::string& file : *names) {
    if (::unlinkat(directory.get(), file.c_str(), 0) != 0 && errno != ENOENT) {
      return fail_errno("remove '" + (std::filesystem::path(name) / file).string() + "'");
    }
  }
  if (::unlinkat(root, name.c_str(), AT_REMOVEDIR) != 0) return fail_errno("remove '" + name + "'");
  return {};
}

}  // namespace

Result<std::vector<Removal>> EvidenceDirectory::expire(
    const EvidenceLimits& limits, std::int64_t now_wall_ns,
    const std::function<void(const Removal&)>& removing) {
  if (++passes_ % kPassesBetweenTries == 0) stuck_.clear();
  const UniqueFd root = open_directory(AT_FDCWD, root_.c_str());
  if (!root) return fail_errno("open '" + root_.string() + "'");
  if (auto looked = look(root.get(), now_wall_ns); !looked)
    return tl::unexpected<Error>(looked.error());
  std::vector<Removal> removed;
  for (Removal& removal : choose_removals(complete(), limits, now_wall_ns)) {
    if (removed.size() >= kMaxRemovalsOfOnePass) break;
    const std::string& name = removal.bundle.name;
    complete_.erase(name);
    removing(removal);
    if (auto gone = remove_bundle(root.get(), name); !gone) {
      stuck_[name] = gone.error().message;
      log::warn("evidence cannot be removed", {{"error", gone.error().message}});
      continue;
    }
    removed.push_back(std::move(removal));
  }
  return removed;
}

std::vector<EvidenceBundle> EvidenceDirectory::complete() const {
  std::vector<EvidenceBundle> bundles;
  for (const auto& [name, bundle] : complete_) bundles.push_back(bundle);
  return bundles;
}

std::vector<std::string> EvidenceDirectory::problems() const {
  if (stuck_.empty()) return {};
  return {"evidence: " + std::to_string(stuck_.size()) +
          " bundles cannot be removed: " + stuck_.begin()->second};
}

Result<void> EvidenceDirectory::look(int root, std::int64_t now_wall_ns) {
  const auto names = names_in(root);
  if (!names) return fail_with("'" + root_.string() + "'", names.error());
  std::map<std::string, EvidenceBundle> complete;
  std::size_t looks = 0;
  for (const std::string& name : *names) {
    if (const auto known = complete_.find(name); known != complete_.end()) {
      complete.insert(complete_.extract(known));
    } else if (!stuck_.contains(name) && looks < kMaxLooksOfOnePass) {
      auto bundle = look_into(root, name, now_wall_ns);
      if (!bundle) continue;
      ++looks;
      complete.emplace(name, std::move(*bundle));
    }
  }
  complete_ = std::move(complete);
  return {};
}

}  // namespace ward::enforcer
