// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cli/incident/evidence.h"
#include "lib/base/escape.h"
#include "lib/base/unique_fd.h"

namespace ward::cli {
namespace {

constexpr std::size_t kMaxListing = 2U << 20U;

// No link is followed, and a FIFO does not make us wait: in a directory that only root writes to
// neither should be there, and a page is made of whatever is.
Result<std::string> read_at(const UniqueFd& directory, const char* name, std::size_t max_bytes) {
  const UniqueFd file(
      ::openat(directory.get(), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!file) return fail_errno(std::string("open ") + name);
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) return fail_errno(std::string("stat ") + name);
  if (!S_ISREG(about.st_mode))
    return fail(Code::kInvalidArgument, std::string(name) + " is no regular file");
  std::string content;
  std::string chunk(64U << 10U, '\0');
  while (content.size() <= max_bytes) {
    const ssize_t n = ::read(file.get(), chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(std::string("read ") + name);
    if (n == 0) break;
    content.append(chunk, 0, static_cast<std::size_t>(n));
  }
  if (content.size() > max_bytes)
    return fail(Code::kResourceExhausted, std::string(name) + " is too large to be shown");
  return content;
}

}  // namespace

Bundle read_bundle(const std::filesystem::path& path) {
  Bundle out;
  const UniqueFd directory(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW));
  if (!directory) {
    const int why = errno;
    out.notes.push_back("its evidence cannot be read: " + escape(path.string(), 300) + ": " +
                        std::strerror(why));
    return out;
  }
  out.found = true;
  struct stat about {};
  out.complete = ::fstatat(directory.get(), "incomplete.txt", &about, AT_SYMLINK_NOFOLLOW) != 0 &&
                 ::fstatat(directory.get(), "SHA256SUMS", &about, AT_SYMLINK_NOFOLLOW) == 0 &&
                 S_ISREG(about.st_mode);
  if (!out.complete)
    out.notes.emplace_back(
        "the evidence is incomplete (incomplete.txt says why, or it is being taken)");
  const auto take = [&](const char* name, std::size_t max_bytes, std::string& into) {
    auto content = read_at(directory, name, max_bytes);
    if (content) {
      into = std::move(*content);
    } else if (out.complete) {
      out.notes.push_back(content.error().message);
    }
  };
  take("evidence.json", kMaxEvidenceBytes, out.json);
  take("mounts.txt", kMaxListing, out.mounts);
  take("sockets.txt", kMaxListing, out.sockets);
  if (out.json.empty()) return out;
  if (auto evidence = parse_evidence(out.json)) {
    out.evidence = std::move(*evidence);
  } else {
    out.notes.push_back(evidence.error().message);
  }
  return out;
}

}  // namespace ward::cli
