// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/evidence_memory.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <sstream>
#include <string_view>

#include "lib/base/digest.h"
#include "lib/base/escape.h"
#include "profiles/filter/constants.h"

namespace ward::shim::supervisor {
namespace {

constexpr std::size_t kMaxStringBytes = 512;
constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kStackBytes = 64U << 10U;
constexpr std::size_t kMaxFrames = 64;

// Arguments that are texts, by position: bit 0 is the first.
struct Texts {
  std::string_view syscall;
  unsigned which;
};
constexpr unsigned kFirst = 1, kSecond = 2, kThird = 4, kFourth = 8, kFifth = 16;
constexpr Texts kTexts[] = {{"access", kFirst},
                            {"acct", kFirst},
                            {"add_key", kFirst | kSecond},
                            {"chdir", kFirst},
                            {"chmod", kFirst},
                            {"chown", kFirst},
                            {"chroot", kFirst},
                            {"creat", kFirst},
                            {"delete_module", kFirst},
                            {"execve", kFirst},
                            {"execveat", kSecond},
                            {"faccessat", kSecond},
                            {"faccessat2", kSecond},
                            {"fanotify_mark", kFifth},
                            {"fchmodat", kSecond},
                            {"fchownat", kSecond},
                            {"finit_module", kSecond},
                            {"fsopen", kFirst},
                            {"fspick", kSecond},
                            {"getxattr", kFirst | kSecond},
                            {"init_module", kThird},
                            {"inotify_add_watch", kSecond},
                            {"lchown", kFirst},
                            {"lgetxattr", kFirst | kSecond},
                            {"link", kFirst | kSecond},
                            {"linkat", kSecond | kFourth},
                            {"listxattr", kFirst},
                            {"lsetxattr", kFirst | kSecond},
                            {"lstat", kFirst},
                            {"memfd_create", kFirst},
                            {"mkdir", kFirst},
                            {"mkdirat", kSecond},
                            {"mknod", kFirst},
                            {"mknodat", kSecond},
                            {"mount", kFirst | kSecond | kThird},
                            {"move_mount", kSecond | kFourth},
                            {"name_to_handle_at", kSecond},
                            {"newfstatat", kSecond},
                            {"open", kFirst},
                            {"open_tree", kSecond},
                            {"openat", kSecond},
                            {"openat2", kSecond},
                            {"pivot_root", kFirst | kSecond},
                            {"readlink", kFirst},
                            {"readlinkat", kSecond},
                            {"removexattr", kFirst | kSecond},
                            {"rename", kFirst | kSecond},
                            {"renameat", kSecond | kFourth},
                            {"renameat2", kSecond | kFourth},
                            {"request_key", kFirst | kSecond | kThird},
                            {"rmdir", kFirst},
                            {"setdomainname", kFirst},
                            {"sethostname", kFirst},
                            {"setxattr", kFirst | kSecond},
                            {"stat", kFirst},
                            {"statfs", kFirst},
                            {"statx", kSecond},
                            {"swapoff", kFirst},
                            {"swapon", kFirst},
                            {"symlink", kFirst | kSecond},
                            {"symlinkat", kFirst | kThird},
                            {"truncate", kFirst},
                            {"umount2", kFirst},
                            {"unlink", kFirst},
                            {"unlinkat", kSecond},
                            {"utimensat", kSecond}};

unsigned texts_of(std::string_view syscall) {
  for (const auto& one : kTexts) {
    if (one.syscall == syscall) return one.which;
  }
  return 0;
}

// As much as is mapped, a page at a time: what follows may not be.
std::string read_memory(pid_t pid, std::uint64_t address, std::size_t bytes) {
  std::string content(bytes, '\0');
  std::size_t have = 0;
  while (have < bytes) {
    const std::uint64_t at = address + have;
    const std::size_t in_page = std::min(bytes - have, kPageBytes - at % kPageBytes);
    iovec local{content.data() + have, in_page};
    iovec remote{reinterpret_cast<void*>(at), in_page};  // NOLINT(performance-no-int-to-ptr)
    const ssize_t n = ::process_vm_readv(pid, &local, 1, &remote, 1, 0);
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
    if (static_cast<std::size_t>(n) < in_page) break;
  }
  content.resize(have);
  return content;
}

void add_text(Json& argument, pid_t pid, std::uint64_t address) {
  if (address == 0) return;
  std::string text;
  bool ended = false;
  // In pieces: most are short, and the page behind may be one that makes a reader wait.
  while (!ended && text.size() <= kMaxStringBytes) {
    const std::string piece = read_memory(pid, address + text.size(), 64);
    if (piece.empty()) break;
    const std::size_t end = piece.find('\0');
    ended = end != std::string::npos;
    text += piece.substr(0, end);
  }
  if (text.empty() && !ended) return;
  argument["string_truncated"] = !ended || text.size() > kMaxStringBytes;
  argument["string"] = escape(text.substr(0, kMaxStringBytes), kMaxStringBytes * 4);
}

std::string address_text(const std::string& bytes) {
  sa_family_t family = 0;
  if (bytes.size() < sizeof(family)) return {};
  std::memcpy(&family, bytes.data(), sizeof(family));
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (family == AF_INET && bytes.size() >= sizeof(sockaddr_in)) {
    sockaddr_in in{};
    std::memcpy(&in, bytes.data(), sizeof(in));
    ::inet_ntop(AF_INET, &in.sin_addr, text.data(), text.size());
    return std::string(text.data()) + ":" + std::to_string(ntohs(in.sin_port));
  }
  if (family == AF_INET6 && bytes.size() >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in{};
    std::memcpy(&in, bytes.data(), sizeof(in));
    ::inet_ntop(AF_INET6, &in.sin6_addr, text.data(), text.size());
    return "[" + std::string(text.data()) + "]:" + std::to_string(ntohs(in.sin6_port));
  }
  if (family == AF_UNIX) return "unix:" + escape(bytes.substr(sizeof(family)));
  return "family " + std::to_string(family) + ", " + hex(bytes.substr(sizeof(family)));
}

// connect(fd, address, length), bind() alike; sendto() has them at the end.
void add_socket_address(Json& args, const node::v1::Violation& v, pid_t pid) {
  const std::string& call = v.syscall();
  const int at = call == "connect" || call == "bind" ? 1 : call == "sendto" ? 4 : -1;
  if (at < 0 || v.args_size() <= at + 1 || v.args(at) == 0) return;
  const std::size_t length = std::min<std::uint64_t>(v.args(at + 1), sizeof(sockaddr_un));
  const std::string text = address_text(read_memory(pid, v.args(at), length));
  if (!text.empty()) args[static_cast<std::size_t>(at)]["string"] = text;
}

const Mapping* find_mapping(const std::vector<Mapping>& maps, std::uint64_t address) {
  for (const auto& one : maps) {
    if (one.start <= address && address < one.end) return &one;
  }
  return nullptr;
}

bool is_executable(const Mapping& one) {
  return one.permissions.size() > 2 && one.permissions[2] == 'x';
}

Json frame(const Mapping& in, std::uint64_t address, const char* found) {
  return {{"module", in.path.empty() ? "[anonymous]" : escape(in.path, kMaxPathBytes)},
          {"offset", filter::format_hex(address - in.start + in.offset)},
          {"found", found}};
}

std::optional<std::uint64_t> number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::vector<Mapping> parse_maps(const std::string& text) {
  std::vector<Mapping> maps;
  std::istringstream lines(text);
  std::size_t executable = 0;
  std::size_t others = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string range;
    std::string offset;
    Mapping one;
    if (!(words >> range >> one.permissions >> offset >> one.device >> one.inode)) continue;
    // Each kind for itself: many of the one do not hide the other.
    const bool is_executable = one.permissions.find('x') != std::string::npos;
    if (++(is_executable ? executable : others) > kMaxMappings) continue;
    const std::size_t dash = range.find('-');
    if (dash == std::string::npos) continue;
    const auto start = number(std::string_view(range).substr(0, dash), 16);
    const auto end = number(std::string_view(range).substr(dash + 1), 16);
    const auto from = number(offset, 16);
    if (!start || !end || !from) continue;
    one.start = *start;
    one.end = *end;
    one.offset = *from;
    std::getline(words >> std::ws, one.path);
    maps.push_back(std::move(one));
  }
  return maps;
}

// "<number> <six arguments> <sp> <pc>", "-1 <sp> <pc>" or "running".
ParkedThread read_parked(pid_t tid, const std::filesystem::path& proc) {
  std::istringstream words(read_prefix(proc / std::to_string(tid) / "syscall", 512));
  std::vector<std::string> word;
  for (std::string one; words >> one;) word.push_back(one);
  if (word.size() < 3) return {};
  const auto value = [](const std::string& text) {
    return number(std::string_view(text).substr(text.rfind("0x", 0) == 0 ? 2 : 0), 16);
  };
  const auto sp = value(word[word.size() - 2]);
  const auto pc = value(word.back());
  if (!sp || !pc) return {};
  return {true, *sp, *pc};
}

Json call_of(const EvidenceRequest& request, const ParkedThread& thread, Pointers pointers) {
  const node::v1::Violation& v = request.violation;
  Json call;
  call["syscall"] = v.syscall();
  call["args"] = Json::array();
  const unsigned texts = texts_of(v.syscall());
  for (int i = 0; i < v.args_size(); ++i) {
    Json argument = {{"raw", filter::format_hex(v.args(i))},
                     {"text", i < v.args_text_size() ? v.args_text(i) : ""}};
    if (pointers == Pointers::kFollow && ((texts >> static_cast<unsigned>(i)) & 1U) != 0)
      add_text(argument, request.thread(), v.args(i));
    call["args"].push_back(std::move(argument));
  }
  if (pointers == Pointers::kFollow) add_socket_address(call["args"], v, request.thread());
  if (thread.known) {
    call["pc"] = filter::format_hex(thread.pc);
    call["sp"] = filter::format_hex(thread.sp);
  }
  call["strings_are"] = "memory as it was read after the call; it may have changed since";
  return call;
}

Json stack_of(const EvidenceRequest& request, const ParkedThread& thread,
              const std::vector<Mapping>& maps) {
  Json stack = Json::array();
  if (!thread.known) return stack;
  if (const Mapping* in = find_mapping(maps, thread.pc))
    stack.push_back(frame(*in, thread.pc, "pc"));
  std::vector<Mapping> executable;
  std::copy_if(maps.begin(), maps.end(), std::back_inserter(executable), is_executable);
  const std::string content = read_memory(request.thread(), thread.sp, kStackBytes);
  for (std::size_t at = 0; at + 8 <= content.size() && stack.size() < kMaxFrames; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, content.data() + at, sizeof(word));
    if (const Mapping* in = find_mapping(executable, word))
      stack.push_back(frame(*in, word, "word on the stack"));
  }
  return stack;
}

}  // namespace ward::shim::supervisor
