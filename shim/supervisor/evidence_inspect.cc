// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/evidence_inspect.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <optional>

#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"
#include "lib/linux/child_process.h"
#include "lib/linux/pidfd.h"

namespace ward::shim::supervisor {
namespace {

// As inspect/work.h has them.
constexpr std::size_t kMaxDatabaseBytes = 32U << 20U;
constexpr std::size_t kMaxOneFileBytes = 8U << 20U;
constexpr std::size_t kMaxDatabaseFiles = 8'000;
constexpr std::size_t kMaxAnswerBytes = 256U << 10U;
constexpr std::size_t kMaxTextBytes = 512;
constexpr int kFirstFile = 4;  // its descriptors: the database's is 3
constexpr int kDatabase = 3;

// Where dpkg (of distroless images: without dpkg) and apk keep theirs.
constexpr std::array<const char*, 2> kDpkgDirectories = {"var/lib/dpkg/info",
                                                         "var/lib/dpkg/status.d"};
constexpr std::array<const char*, 2> kApkFiles = {"lib/apk/db/installed",
                                                  "usr/lib/apk/db/installed"};

UniqueFd open_in(int root, const std::string& path, int flags) {
  open_how how{};
  // openat2(2) refuses O_PATH beside what it has no meaning for.
  const int besides = (flags & O_PATH) != 0 ? 0 : O_NOCTTY | O_NONBLOCK;
  how.flags = static_cast<std::uint64_t>(flags | O_NOFOLLOW | O_CLOEXEC | besides);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof(how))));
}

// Bytes of files one behind the other, each behind a line that says what it is.
class Database {
 public:
  Database(int root, int upper, std::int64_t ends_ns)
      : root_(root),
        upper_(upper),
        ends_ns_(ends_ns),
        memory_(::memfd_create("packages", MFD_CLOEXEC)) {}

  void gather() {
    for (const char* directory : kDpkgDirectories) add_directory(directory);
    for (const char* file : kApkFiles) add_file("apk", "installed", file);
  }
  [[nodiscard]] const UniqueFd& memory() const { return memory_; }
  [[nodiscard]] bool changed() const { return changed_; }
  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  void add_directory(const std::string& path) {
    UniqueFd fd = open_in(root_, path, O_DIRECTORY);
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(fd ? ::fdopendir(fd.get()) : nullptr,
                                                     [](DIR* one) { return ::closedir(one); });
    if (!stream) return;
    (void)fd.release();
    while (const dirent* entry = ::readdir(stream.get())) {
      const std::string name = entry->d_name;
      const bool one_of_ours = name.ends_with(".md5sums") || name.ends_with(".list");
      // A name with a blank or a newline would be another line; no package has one.
      if (!one_of_ours || name.find_first_of(" \n\t") != std::string::npos) continue;
      if (++files_ > kMaxDatabaseFiles || monotonic_ns() > ends_ns_)
        why_ = "the package database is larger than what is read";
      if (!why_.empty()) return;
      std::string whole = path;
      whole.append("/").append(name);
      add_file("dpkg", name, whole);
    }
  }

  void add_file(const char* kind, const std::string& name, const std::string& path) {
    const UniqueFd found = open_in(root_, path, O_PATH);
    struct stat status {};
    if (!found || ::fstat(found.get(), &status) != 0 || !S_ISREG(status.st_mode)) return;
    const UniqueFd fd = open_in(root_, path, 0);
    if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return;
    const auto size = static_cast<std::size_t>(std::max<off_t>(0, status.st_size));
    if (size > kMaxOneFileBytes || bytes_ + size > kMaxDatabaseBytes - (1U << 20U)) {
      why_ = "the package database is larger than what is read";
      return;
    }
    std::string text(size, '\0');
    const ssize_t n = ::pread(fd.get(), text.data(), size, 0);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    const std::string head =
        std::string(kind) + " " + name + " " + std::to_string(text.size()) + "\n";
    bytes_ += head.size() + text.size();
    text.insert(0, head);
    if (::write(memory_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
      why_ = "the package database cannot be kept";
    if (upper_ >= 0 && open_in(upper_, path, O_PATH)) changed_ = true;
  }

  int root_, upper_;
  std::int64_t ends_ns_;
  UniqueFd memory_;
  std::size_t files_ = 0;
  std::size_t bytes_ = 0;
  bool changed_ = false;
  std::string why_;
};

std::filesystem::path program_beside_this_one() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "ward-inspect";
}

// "0x1234" of a frame.
std::optional<std::uint64_t> offset_of(const Json& frame) {
  const std::string text = frame.value("offset", "");
  char* end = nullptr;
  const std::uint64_t value = std::strtoull(text.c_str(), &end, 16);
  if (text.empty() || *end != '\0') return std::nullopt;
  return value;
}

std::string line_of(int fd, const MappedFiles::Opened& file, const Json& stack,
                    std::vector<std::size_t>& frames) {
  std::string line = "file " + std::to_string(fd) + " " + hex(file.path);
  const std::string module = escape(file.path, kMaxPathBytes);
  for (std::size_t i = 0; i < stack.size(); ++i) {
    const auto offset = offset_of(stack[i]);
    if (!offset || stack[i].value("module", "") != module) continue;
    line += " " + std::to_string(*offset);
    frames.push_back(i);
  }
  return line + "\n";
}

// Everything that it says until it ends, or until then.
std::string read_until(int fd, std::int64_t ends_ns) {
  std::string said;
  std::array<char, 8192> chunk{};
  while (said.size() < kMaxAnswerBytes) {
    const std::int64_t left_ns = ends_ns - monotonic_ns();
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    if (left_ns <= 0) break;
    const int polled = ::poll(&ready, 1, static_cast<int>(left_ns / 1'000'000) + 1);
    if (polled < 0 && errno == EINTR) continue;
    if (polled <= 0) break;
    const ssize_t n = ::read(fd, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    said.append(chunk.data(), static_cast<std::size_t>(n));
  }
  return said;
}

std::string run(const std::filesystem::path& program, const std::string& request,
                const MappedFiles& mapped, const UniqueFd& database, std::int64_t ends_ns) {
  const UniqueFd asks(::memfd_create("request", MFD_CLOEXEC));
  int ends[2];
  if (!asks || ::pipe2(ends, O_CLOEXEC) != 0) return {};
  const UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  if (::pwrite(asks.get(), request.data(), request.size(), 0) !=
      static_cast<ssize_t>(request.size()))
    return {};
  ChildSpec spec{.program = program.string(),
                 .argv = {"ward-inspect"},
                 .environment = {},
                 .directory = "/",
                 .descriptors = {{asks.get(), 0}, {to.get(), 1}}};
  if (database) spec.descriptors.emplace_back(database.get(), kDatabase);
  int at = kFirstFile;
  for (const auto& file : mapped.opened()) spec.descriptors.emplace_back(file.fd, at++);
  const auto child = start_child(spec);
  if (!child) return {};
  to.reset();
  std::string said = read_until(from.get(), ends_ns);
  ::kill(child->pid, SIGKILL);  // not waited for yet, so the number is its own
  ::waitpid(child->pid, nullptr, 0);
  return said;
}

std::string text_of(const Json& of, const char* key) {
  const auto found = of.find(key);
  if (found == of.end() || !found->is_string()) return {};
  return printable(found->get<std::string>(), kMaxTextBytes);
}

void add_symbols(const Json& said, const std::vector<std::size_t>& frames, Json& stack) {
  const auto symbols = said.find("symbols");
  if (symbols == said.end() || !symbols->is_array()) return;
  for (std::size_t i = 0; i < std::min(frames.size(), symbols->size()); ++i) {
    const Json& one = (*symbols)[i];
    if (one.is_string() && !one.get<std::string>().empty())
      stack[frames[i]]["symbol"] = printable(one.get<std::string>(), kMaxTextBytes);
  }
}

void add_package(const Json& said, bool changed, Json& map) {
  const std::string package = text_of(said, "package");
  if (package.empty()) return;
  map["package"] = package;
  const auto same = said.find("same");
  if (same != said.end() && same->is_boolean()) {
    map["package_digest"] = text_of(said, "digest");
    map["package_agrees"] = same->get<bool>();
  }
  if (changed) map["package_changed"] = true;
}

}  // namespace

UniqueFd open_container_root(const EvidenceRequest& request) {
  const auto link = request.proc / std::to_string(request.thread()) / "root";
  return UniqueFd(::open(link.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

void inspect(const MappedFiles& mapped, const UniqueFd& root, const UniqueFd& upper,
             std::int64_t ends_ns, Json& stack, Json& maps, LeftOut& left_out) {
  const auto files = mapped.opened();
  const auto program = program_beside_this_one();
  if (files.empty()) return;
  if (::access(program.c_str(), X_OK) != 0)
    return left_out.add("symbols and packages", "there is no ward-inspect beside the shim");
  Database database(root.get(), upper.get(), ends_ns);
  if (root) {
    database.gather();
  } else {
    left_out.add("packages", "the container's root cannot be opened");
  }
  if (!database.why().empty()) left_out.add("packages", database.why());
  std::string asked = "database " + std::to_string(kDatabase) + "\n";
  std::vector<std::vector<std::size_t>> frames(files.size());
  for (std::size_t i = 0; i < files.size(); ++i)
    asked += line_of(kFirstFile + static_cast<int>(i), files[i], stack, frames[i]);
  const Json said =
      Json::parse(run(program, asked, mapped, database.memory(), ends_ns), nullptr, false);
  const auto answers = said.is_object() ? said.find("files") : said.end();
  if (!said.is_object() || answers == said.end() || !answers->is_array() ||
      answers->size() != files.size())
    return left_out.add("symbols and packages", "ward-inspect gave no answer in its time");
  for (std::size_t i = 0; i < files.size(); ++i) {
    const Json& one = (*answers)[i];
    if (!one.is_object()) continue;
    add_symbols(one, frames[i], stack);
    if (files[i].index < maps.size()) add_package(one, database.changed(), maps[files[i].index]);
  }
}

}  // namespace ward::shim::supervisor
