// SPDX-License-Identifier: Apache-2.0
#include "shim/admission/filter_cache.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/unique_fd.h"
#include "lib/oci/bundle.h"

namespace ward::shim::admission {
namespace {

namespace fs = std::filesystem;

// Raise it when profiles/filter/runtime_filter.cc makes another program of the same document, or
// profiles/filter/written_filter.cc finds something else in it.
constexpr int kFormat = 1;
constexpr std::size_t kMostFiles = 64;
constexpr std::size_t kDigestBytes = 64;
constexpr std::size_t kMaxFileBytes = kDigestBytes + BPF_MAXINSNS * sizeof(sock_filter);

bool is_roots_alone(const struct stat& status) {
  return status.st_uid == ::geteuid() && (status.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

// The content of a regular file that only its owner, who is ours, can have written.
std::optional<std::string> read_own_file(const fs::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
      !is_roots_alone(status))
    return {};
  if (status.st_size <= 0 || static_cast<std::size_t>(status.st_size) > kMaxFileBytes) return {};
  std::string content(static_cast<std::size_t>(status.st_size), '\0');
  if (::pread(file.get(), content.data(), content.size(), 0) != status.st_size) return {};
  return content;
}

// Room for one more.
void remove_the_oldest(const fs::path& directory) {
  std::error_code error;
  std::size_t files = 0;
  fs::path oldest;
  fs::file_time_type when = fs::file_time_type::max();
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    ++files;
    const auto written = entry.last_write_time(error);
    if (error || written >= when) continue;
    when = written;
    oldest = entry.path();
  }
  if (files >= kMostFiles) fs::remove(oldest, error);
}

}  // namespace

std::string FilterCache::key(const oci::Seccomp& seccomp, const filter::RuntimeHabits& habits) {
  const scmp_version* const library = ::seccomp_version();
  std::string made_of = std::to_string(kFormat) + " " WARD_VERSION " " +
                        std::to_string(library->major) + "." + std::to_string(library->minor) +
                        "." + std::to_string(library->micro) + " " +
                        (habits.stub_where_unlisted ? "stub " : "none ");
  return sha256_hex(made_of + oci::seccomp_to_json(seccomp));
}

bool FilterCache::is_ours() const {
  struct stat status {};
  return !directory_.empty() && ::lstat(directory_.c_str(), &status) == 0 &&
         S_ISDIR(status.st_mode) && is_roots_alone(status);
}

std::optional<std::string> FilterCache::find_bytes(const std::string& key) const {
  if (!is_ours()) return std::nullopt;
  const auto content = read_own_file(directory_ / key);
  if (!content || content->size() < kDigestBytes) return std::nullopt;
  std::string bytes = content->substr(kDigestBytes);
  // Of the key too: what stands under another's name is no entry.
  if (sha256_hex(key + bytes) != content->substr(0, kDigestBytes)) return std::nullopt;
  return bytes;
}

std::optional<filter::FilterProgram> FilterCache::find(const std::string& key) const {
  const auto bytes = find_bytes(key);
  if (!bytes || bytes->empty() || bytes->size() % sizeof(sock_filter) != 0) return std::nullopt;
  std::vector<sock_filter> instructions(bytes->size() / sizeof(sock_filter));
  std::memcpy(instructions.data(), bytes->data(), bytes->size());
  auto program = filter::FilterProgram::check(std::move(instructions));
  if (!program) return std::nullopt;
  return *std::move(program);
}

void FilterCache::keep(const std::string& key, const filter::FilterProgram& program) const {
  const auto& instructions = program.instructions();
  keep_bytes(key, std::string(reinterpret_cast<const char*>(instructions.data()),
                              instructions.size() * sizeof(sock_filter)));
}

void FilterCache::keep_bytes(const std::string& key, const std::string& bytes) const {
  if (directory_.empty()) return;
  std::error_code error;
  fs::create_directories(directory_.parent_path(), error);
  if (::mkdir(directory_.c_str(), 0700) != 0 && !is_ours()) return;
  remove_the_oldest(directory_);
  const auto written = write_file_atomically(directory_ / key, sha256_hex(key + bytes) + bytes,
                                             0600, Durability::kNone);
  if (!written) log::warn("a compiled filter is not kept", {{"error", written.error().message}});
}

}  // namespace ward::shim::admission
