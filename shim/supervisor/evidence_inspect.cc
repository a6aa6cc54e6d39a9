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
#include <utility>
#include <vector>

#include "inspect/limits.h"
#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"
#include "lib/linux/child_process.h"
#include "lib/linux/pidfd.h"

namespace ward::shim::supervisor {
namespace {

using inspect::kMaxAnswerBytes;
using inspect::kMaxDatabaseBytes;
using inspect::kMaxFiles;
using inspect::kMaxRequestBytes;
constexpr std::size_t kMaxOneFileBytes = 8U << 20U;
constexpr std::size_t kMaxDatabaseFiles = 8'000;
constexpr std::size_t kMaxDatabaseNames = 40'000;  // in its directories, whatever they are
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
    for (const char* file : kApkFiles)
      if (why_.empty()) add_file("apk", "installed", file);
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
      // Each name counts: somebody may have made very many that are none of ours.
      if (++names_ > kMaxDatabaseNames) why_ = "more names in the package database than are read";
      if (monotonic_ns() > ends_ns_) why_ = "no time was left for the package database";
      if (!why_.empty()) return;
      const std::string name = entry->d_name;
      const bool one_of_ours = name.ends_with(".md5sums") || name.ends_with(".list");
      // A name with a blank or a newline would be another line; no package has one.
      if (!one_of_ours || name.find_first_of(" \n\t") != std::string::npos) continue;
      if (++files_ > kMaxDatabaseFiles) {
        why_ = "the package database is larger than what is read";
        return;
      }
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
  std::size_t names_ = 0;
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

// What is asked of ward-inspect: a line for each file, and the descriptors that go with them.
struct Question {
  std::string text;
  std::vector<std::pair<int, int>> descriptors;
  std::vector<MappedFiles::Opened> files;
};

// False: there is no room for it.
bool add_file(Question& asked, const MappedFiles::Opened& file, const std::string& rest) {
  const int fd = kFirstFile + static_cast<int>(asked.files.size());
  const std::string line = "file " + std::to_string(fd) + " " + rest + "\n";
  if (asked.text.size() + line.size() > kMaxRequestBytes || asked.files.size() == kMaxFiles)
    return false;
  asked.text += line;
  asked.descriptors.emplace_back(file.fd, fd);
  asked.files.push_back(file);
  return true;
}

// The frames of the stack that are in this file, and where in it.
std::string offsets_in(const MappedFiles::Opened& file, const Json& stack,
                       std::vector<std::size_t>& frames) {
  std::string offsets;
  const std::string module = escape(file.path, kMaxPathBytes);
  for (std::size_t i = 0; i < stack.size(); ++i) {
    const auto offset = offset_of(stack[i]);
    if (!offset || stack[i].value("module", "") != module) continue;
    offsets += " " + std::to_string(*offset);
    frames.push_back(i);
  }
  return offsets;
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

std::string run(const Question& asked, std::int64_t ends_ns) {
  const UniqueFd asks(::memfd_create("request", MFD_CLOEXEC));
  int ends[2];
  if (!asks || ::pipe2(ends, O_CLOEXEC) != 0) return {};
  const UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  if (::pwrite(asks.get(), asked.text.data(), asked.text.size(), 0) !=
      static_cast<ssize_t>(asked.text.size()))
    return {};
  ChildSpec spec{.program = program_beside_this_one().string(),
                 .argv = {"ward-inspect"},
                 .environment = {},
                 .directory = "/",
                 .descriptors = {{asks.get(), 0}, {to.get(), 1}}};
  spec.descriptors.insert(spec.descriptors.end(), asked.descriptors.begin(),
                          asked.descriptors.end());
  const auto child = start_child(spec);
  if (!child) return {};
  to.reset();
  std::string said = read_until(from.get(), ends_ns);
  ::kill(child->pid, SIGKILL);  // not waited for yet, so the number is its own
  ::waitpid(child->pid, nullptr, 0);
  return said;
}

// An object for each file, in their order. Fewer, and why: it had no time, or no room.
std::vector<Json> ask(const Question& asked, std::int64_t ends_ns, std::string& why) {
  const auto said = parse_json<Json>(run(asked, ends_ns));
  const auto found = said.is_object() ? said.find("files") : said.end();
  if (!said.is_object() || found == said.end() || !found->is_array() ||
      found->size() > asked.files.size()) {
    why = "ward-inspect gave no answer in its time";
    return {};
  }
  std::vector<Json> answers(found->begin(), found->end());
  if (answers.size() < asked.files.size())
    why = "ward-inspect's answer had no room for more than " + std::to_string(answers.size()) +
          " of " + std::to_string(asked.files.size()) + " files";
  return answers;
}

bool is_there(const char* part, LeftOut& left_out) {
  if (::access(program_beside_this_one().c_str(), X_OK) == 0) return true;
  left_out.add(part, "there is no ward-inspect beside the shim");
  return false;
}

std::string text_of(const Json& of, const char* key) {
  const auto found = of.find(key);
  if (found == of.end() || !found->is_string()) return {};
  return printable(found->get<std::string>(), kMaxTextBytes);
}

void take_symbols(const Json& said, const std::vector<std::size_t>& frames, Json& stack) {
  if (!said.is_object()) return;
  const auto symbols = said.find("symbols");
  if (symbols == said.end() || !symbols->is_array()) return;
  for (std::size_t i = 0; i < std::min(frames.size(), symbols->size()); ++i) {
    const Json& one = (*symbols)[i];
    if (one.is_string() && !one.get<std::string>().empty())
      stack[frames[i]]["symbol"] = printable(one.get<std::string>(), kMaxTextBytes);
  }
}

// `changed`: null where nobody can tell.
void take_package(const Json& said, const Json& changed, Json& map) {
  const std::string package = said.is_object() ? text_of(said, "package") : "";
  if (package.empty()) return;
  map["package"] = package;
  const auto same = said.find("same");
  if (same != said.end() && same->is_boolean()) {
    map["package_digest"] = text_of(said, "digest");
    map["package_agrees"] = same->get<bool>();
  }
  map["package_changed"] = changed;
}

}  // namespace

UniqueFd open_image_root(const EvidenceRequest& request, std::string& why) {
  if (request.bundle.empty()) {
    why = "the bundle is not known";
    return {};
  }
  const auto rootfs = request.bundle / "rootfs";
  UniqueFd fd(::open(rootfs.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) why = "the container's root cannot be opened";
  return fd;
}

void add_symbols(const MappedFiles& mapped, std::int64_t ends_ns, Json& stack, LeftOut& left_out) {
  Question asked;
  std::vector<std::vector<std::size_t>> frames;
  std::string why;
  for (const auto& file : mapped.opened()) {
    std::vector<std::size_t> of_file;
    const std::string offsets = offsets_in(file, stack, of_file);
    if (of_file.empty()) continue;
    // What has no answer has no frames here either: the two are matched by their places.
    if (!add_file(asked, file, hex("/") + offsets)) {
      why = "of the first files alone";
      break;
    }
    frames.push_back(std::move(of_file));
  }
  if (asked.files.empty() || !is_there("symbols", left_out)) return;
  const auto answers = ask(asked, ends_ns, why);
  for (std::size_t i = 0; i < answers.size(); ++i) take_symbols(answers[i], frames[i], stack);
  if (!why.empty()) left_out.add("symbols", why);
}

void add_packages(const MappedFiles& mapped, const UniqueFd& root, const UniqueFd& upper,
                  std::int64_t ends_ns, Json& maps, LeftOut& left_out) {
  const auto files = mapped.opened();
  if (files.empty() || !root || !is_there("packages", left_out)) return;
  const std::int64_t now_ns = monotonic_ns();
  Database database(root.get(), upper.get(), now_ns + (ends_ns - now_ns) / 2);
  database.gather();
  if (!database.why().empty()) left_out.add("packages", database.why());
  Question asked;
  asked.text = "database " + std::to_string(kDatabase) + "\n";
  if (database.memory()) asked.descriptors.emplace_back(database.memory().get(), kDatabase);
  for (const auto& file : files) {
    if (add_file(asked, file, hex(file.path))) continue;
    left_out.add("packages", "paths too long for more than " + std::to_string(asked.files.size()) +
                                 " of " + std::to_string(files.size()) + " files");
    break;
  }
  std::string why;
  const auto answers = ask(asked, ends_ns, why);
  if (!why.empty()) left_out.add("packages", why);
  const Json changed = upper ? Json(database.changed()) : Json();
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const std::size_t index = asked.files[i].index;
    if (index < maps.size()) take_package(answers[i], changed, maps[index]);
  }
}

}  // namespace ward::shim::supervisor
