// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/evidence_mapped.h"

#include <fcntl.h>
#include <sodium/crypto_hash_sha256.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <sstream>

#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/escape.h"
#include "profiles/filter/constants.h"

namespace ward::shim::supervisor {
namespace {

constexpr std::size_t kMountsBytes = 1U << 20U;
constexpr std::uint64_t kMaxFileBytes = 64U << 20U;
constexpr std::uint64_t kMaxAllBytes = 256U << 20U;

bool is_executable(const Mapping& one) { return one.permissions.find('x') != std::string::npos; }

void add_file_systems(const std::string& mountinfo, FileSystems& out) {
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string id, parent, device, word;
    words >> id >> parent >> device;
    while (words >> word && word != "-") {
    }
    if (!(words >> word)) continue;
    unsigned major = 0;
    unsigned minor = 0;
    if (std::sscanf(device.c_str(), "%u:%u", &major, &minor) != 2) continue;
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%02x:%02x", major, minor);  // as in maps
    out[text.data()] = word;
  }
}

// Memory that has a descriptor, and shared memory: on a mount of the kernel's own.
void add_shared_memory(FileSystems& out) {
  const UniqueFd fd(::memfd_create("ward", MFD_CLOEXEC));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%02x:%02x", major(status.st_dev), minor(status.st_dev));
  out[text.data()] = "tmpfs";
}

}  // namespace

FileSystems read_file_systems(const EvidenceRequest& request) {
  FileSystems out;
  const auto task = request.proc / std::to_string(request.thread());
  add_file_systems(read_prefix("/proc/self/mountinfo", kMountsBytes), out);
  add_file_systems(read_prefix(task / "mountinfo", kMountsBytes), out);
  add_shared_memory(out);
  return out;
}

bool may_not_answer(const std::string& type) {
  constexpr std::array<std::string_view, 10> kRemote = {
      "nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "afs", "autofs", "coda"};
  return type.rfind("fuse", 0) == 0 ||
         std::find(kRemote.begin(), kRemote.end(), type) != kRemote.end();
}

std::string hash_file(int fd, HashBounds& bounds, std::string& why) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    why = "no regular file";
    return {};
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > bounds.file_bytes || size > bounds.all_bytes) {
    why = "larger than what is read";
    return {};
  }
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  std::string chunk(256U << 10U, '\0');
  std::uint64_t at = 0;
  while (at < size) {  // what grows meanwhile is not followed
    if (monotonic_ns() > bounds.ends_ns) {
      why = "no time was left";
      return {};
    }
    const ssize_t n = ::pread(fd, chunk.data(), std::min<std::uint64_t>(chunk.size(), size - at),
                              static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    crypto_hash_sha256_update(&state, reinterpret_cast<const unsigned char*>(chunk.data()),
                              static_cast<unsigned long long>(n));
    at += static_cast<std::uint64_t>(n);
  }
  bounds.all_bytes -= std::min(bounds.all_bytes, at);
  std::string digest(crypto_hash_sha256_BYTES, '\0');
  crypto_hash_sha256_final(&state, reinterpret_cast<unsigned char*>(digest.data()));
  return hex(digest);
}

MappedFiles::MappedFiles(const EvidenceRequest& request, const std::vector<Mapping>& maps) {
  // Those with code first: others in front of them in memory, however many, do not hide them.
  for (const auto& one : maps)
    if (is_executable(one)) add(one);
  for (const auto& one : maps)
    if (!is_executable(one)) add(one);
  const FileSystems systems = read_file_systems(request);
  std::size_t opened = 0;
  for (File& file : files_) {
    if (!file.executable || file.first.inode == "0") continue;
    if (++opened > kMaxHashed) {
      file.why = "too many";
    } else {
      open(file, request, systems);
    }
  }
}

void MappedFiles::add(const Mapping& one) {
  const bool executable = is_executable(one);
  // Memory of its own is told of where code could stand in it.
  if (one.inode == "0" && (!executable || one.path == "[vdso]" || one.path == "[vsyscall]")) return;
  const auto key = one.inode == "0"
                       ? std::make_tuple(std::string(), std::to_string(one.start), std::string())
                       : std::make_tuple(one.device, one.inode, one.path);
  const auto [at, is_new] = known_.emplace(key, files_.size());
  if (is_new && files_.size() == kMaxFiles) at->second = kDropped;
  if (is_new && at->second == kDropped) ++dropped_;
  if (at->second == kDropped) return;
  if (is_new) {
    files_.emplace_back();
    files_.back().first = one;  // of an executable one the one that is opened
  }
  File& file = files_[at->second];
  file.bytes += one.end - one.start;
  file.executable = file.executable || executable;
  file.writable = file.writable || one.permissions.find('w') != std::string::npos;
}

// First what it is, by a descriptor that opens nothing: a device may do something when it is
// opened.
void MappedFiles::open(File& file, const EvidenceRequest& request, const FileSystems& systems) {
  const auto system = systems.find(file.first.device);
  if (system == systems.end() || may_not_answer(system->second)) {
    file.why = system == systems.end() ? "on a file system that is not known here"
                                       : "on " + escape(system->second) + ", which may not answer";
    return;
  }
  std::array<char, 64> range{};
  std::snprintf(range.data(), range.size(), "%lx-%lx", static_cast<unsigned long>(file.first.start),
                static_cast<unsigned long>(file.first.end));
  const auto link = request.proc / std::to_string(request.thread()) / "map_files" / range.data();
  const UniqueFd found(::open(link.c_str(), O_PATH | O_CLOEXEC));
  struct stat status {};
  if (!found || ::fstat(found.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    file.why = found ? "no regular file" : "it cannot be opened";
    return;
  }
  const std::string same = "/proc/self/fd/" + std::to_string(found.get());
  file.fd.reset(::open(same.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  // As open(2) has it of a lease that O_NONBLOCK does not wait for.
  if (!file.fd)
    file.why = errno == EWOULDBLOCK ? "a process holds a lease on it" : "it cannot be opened";
}

void MappedFiles::hash(std::int64_t ends_ns) {
  HashBounds bounds{kMaxFileBytes, kMaxAllBytes, ends_ns};
  for (File& file : files_) {
    if (!file.fd) continue;
    file.sha256 = hash_file(file.fd.get(), bounds, file.why);
  }
}

std::vector<MappedFiles::Opened> MappedFiles::opened() const {
  std::vector<Opened> out;
  for (std::size_t i = 0; i < files_.size(); ++i)
    if (files_[i].fd) out.push_back({i, files_[i].first.path, files_[i].fd.get()});
  return out;
}

Json MappedFiles::list() const {
  Json list = Json::array();
  for (const File& file : files_) {
    Json one = {
        {"path", file.first.path.empty() ? "[anonymous]" : escape(file.first.path, kMaxPathBytes)},
        {"start", filter::format_hex(file.first.start)},
        {"mapped_bytes", file.bytes},
        {"executable", file.executable},
        {"writable", file.writable}};
    if (!file.sha256.empty()) one["sha256"] = file.sha256;
    if (!file.why.empty()) one["not_hashed"] = file.why;
    list.push_back(std::move(one));
  }
  return list;
}

}  // namespace ward::shim::supervisor
