// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/newer_program.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>

namespace ward {
namespace {

// The kernel follows five scripts; the last one has an interpreter, and that a loader.
constexpr int kMostFiles = 8;
constexpr std::size_t kMostDirectories = 64;  // of the search path
constexpr std::size_t kHeadBytes = 4096;
constexpr std::size_t kMaxNameBytes = 4096;

struct File {
  UniqueFd path_only;
  struct stat status {};
};

// Only a path: opening a FIFO would wait, and opening a device does something.
std::optional<File> find_file(const std::string& path) {
  if (path.empty() || path.size() > kMaxNameBytes) return std::nullopt;
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_MAGICLINKS;
  File file;
  file.path_only =
      UniqueFd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
  if (!file.path_only || ::fstat(file.path_only.get(), &file.status) != 0) return std::nullopt;
  if (!S_ISREG(file.status.st_mode)) return std::nullopt;
  return file;
}

bool is_newer(const File& file, std::int64_t since_wall_ns) {
  const std::int64_t changed_ns =
      std::int64_t{file.status.st_ctim.tv_sec} * 1'000'000'000 + file.status.st_ctim.tv_nsec;
  struct statvfs mount {};
  return changed_ns >= since_wall_ns &&
         (::fstatvfs(file.path_only.get(), &mount) != 0 || (mount.f_flag & ST_RDONLY) == 0);
}

std::string absolute(const std::string& directory, const std::string& path) {
  return path.front() == '/' ? path : (directory.empty() ? "/" : directory + "/") + path;
}

// As runc looks for it: the first that somebody may execute.
std::string look_up(const ProgramName& program) {
  if (program.name.empty()) return {};
  if (program.name.find('/') != std::string::npos) return absolute(program.directory, program.name);
  std::string_view rest = program.search_path;
  for (std::size_t i = 0; i < kMostDirectories; ++i) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string directory(rest.substr(0, end));
    std::string path =
        absolute(program.directory, (directory.empty() ? "." : directory) + "/" + program.name);
    const auto file = find_file(path);
    if (file && (file->status.st_mode & 0111U) != 0) return path;
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  return {};
}

// By the descriptor, so that it is the file that was looked at.
UniqueFd open_for_reading(const File& file, const UniqueFd& descriptors) {
  return UniqueFd(::openat(descriptors.get(), std::to_string(file.path_only.get()).c_str(),
                           O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

std::string script_interpreter(std::string_view head) {
  head.remove_prefix(2);
  head = head.substr(0, head.find('\n'));
  const std::size_t begin = head.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  head.remove_prefix(begin);
  return std::string(head.substr(0, head.find_first_of(" \t")));
}

std::string elf_interpreter(const UniqueFd& fd, std::string_view head) {
  Elf64_Ehdr header;
  if (head.size() < sizeof header) return {};
  std::memcpy(&header, head.data(), sizeof header);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr)) return {};
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    const std::size_t at = header.e_phoff + i * sizeof(Elf64_Phdr);
    if (at > head.size() || head.size() - at < sizeof(Elf64_Phdr)) return {};
    Elf64_Phdr segment;
    std::memcpy(&segment, head.data() + at, sizeof segment);
    if (segment.p_type != PT_INTERP || segment.p_filesz > kMaxNameBytes) continue;
    std::string name(segment.p_filesz, '\0');
    const ssize_t n =
        ::pread(fd.get(), name.data(), name.size(), static_cast<off_t>(segment.p_offset));
    name.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return name.substr(0, name.find('\0'));
  }
  return {};
}

// Who runs it; empty: the kernel does.
std::string interpreter_of(const File& file, const UniqueFd& descriptors) {
  const UniqueFd fd = open_for_reading(file, descriptors);
  std::array<char, kHeadBytes> bytes{};
  const ssize_t n = fd ? ::pread(fd.get(), bytes.data(), bytes.size(), 0) : -1;
  if (n < SELFMAG) return {};
  const std::string_view head(bytes.data(), static_cast<std::size_t>(n));
  if (head.substr(0, 2) == "#!") return script_interpreter(head);
  return head.substr(0, SELFMAG) == ELFMAG ? elf_interpreter(fd, head) : std::string();
}

}  // namespace

std::string find_newer_program(const ProgramName& program, std::int64_t since_wall_ns,
                               const UniqueFd& descriptors) {
  std::string path = look_up(program);
  for (int i = 0; i < kMostFiles && !path.empty(); ++i) {
    const auto file = find_file(path);
    if (!file) return {};
    if (is_newer(*file, since_wall_ns)) return path;
    const std::string interpreter = interpreter_of(*file, descriptors);
    path = interpreter.empty() ? "" : absolute(program.directory, interpreter);
  }
  return {};
}

}  // namespace ward
