// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/evidence_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <map>
#include <memory>
#include <sstream>

#include "lib/base/escape.h"
#include "lib/base/unique_fd.h"
#include "lib/linux/process_info.h"
#include "shim/supervisor/redaction.h"

namespace ward::shim::supervisor {
namespace {

constexpr std::size_t kCommandLineBytes = 16U << 10U;
constexpr std::size_t kEnvironmentBytes = 64U << 10U;
constexpr std::size_t kSocketBytes = 128U << 10U;  // of one kind
constexpr std::size_t kMaxStrings = 512;
constexpr int kMaxDescriptors = 256;
constexpr int kMaxAncestors = 32;

std::vector<std::string> split_zeros(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  while (at < text.size() && parts.size() < kMaxStrings) {
    const std::size_t end = std::min(text.find('\0', at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

Json arguments_of(const std::filesystem::path& task, const std::string& exe,
                  const std::string& comm, bool full) {
  Json list = Json::array();
  for (const auto& argument : split_zeros(read_prefix(task / "cmdline", kCommandLineBytes))) {
    const std::string kept = full           ? argument
                             : list.empty() ? redact_program(argument, exe, comm)
                                            : redact_argument(argument);
    list.push_back(escape(kept, kMaxPathBytes));
  }
  return list;
}

// "0100007F:1F90" as the kernel writes an address: words in the order of this machine's bytes.
std::string address_text(const std::string& hex) {
  const std::size_t colon = hex.find(':');
  if (colon == std::string::npos || colon % 8 != 0 || colon > 32) return escape(hex, 64);
  std::vector<unsigned> bytes;
  for (std::size_t word = 0; word < colon; word += 8) {
    std::uint32_t value = 0;
    std::from_chars(hex.data() + word, hex.data() + word + 8, value, 16);
    for (unsigned i = 0; i < 4; ++i) bytes.push_back((value >> (8 * i)) & 0xffU);
  }
  unsigned port = 0;
  std::from_chars(hex.data() + colon + 1, hex.data() + hex.size(), port, 16);
  std::ostringstream out;
  if (bytes.size() == 4) {
    out << bytes[0] << '.' << bytes[1] << '.' << bytes[2] << '.' << bytes[3];
  } else {
    out << '[' << std::hex;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
      out << (i == 0 ? "" : ":") << ((bytes[i] << 8U) | bytes[i + 1]);
    out << ']' << std::dec;
  }
  out << ':' << port;
  return out.str();
}

// By inode: what a descriptor of the process is connected to.
std::map<std::string, Json> endpoints(const std::string& sockets) {
  std::map<std::string, Json> found;
  std::istringstream lines(sockets);
  std::string kind;
  for (std::string line; std::getline(lines, line);) {
    // The last kind: a path of it may hold a newline, and what then looks like a heading is none.
    if (kind != "unix" && line.rfind("# ", 0) == 0) {
      kind = line.substr(2);
      continue;
    }
    std::istringstream words(line);
    std::vector<std::string> word;
    for (std::string one; word.size() < 12 && words >> one;) word.push_back(one);
    if (kind == "unix" && word.size() >= 7) {
      const std::string path = word.size() > 7 ? word[7] : "";
      found[word[6]] = {{"kind", kind}, {"local", escape(path, kMaxPathBytes)}};
    } else if (kind != "packet" && kind != "unix" && word.size() >= 10) {
      found[word[9]] = {
          {"kind", kind}, {"local", address_text(word[1])}, {"remote", address_text(word[2])}};
    }
  }
  return found;
}

}  // namespace

std::string read_prefix(const std::filesystem::path& path, std::size_t max_bytes, bool* truncated) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return {};
  std::string content;
  std::string chunk(8192, '\0');
  while (content.size() < max_bytes) {
    const ssize_t n =
        ::read(fd.get(), chunk.data(), std::min(chunk.size(), max_bytes - content.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return content;
    content.append(chunk, 0, static_cast<std::size_t>(n));
  }
  if (truncated != nullptr) *truncated = true;
  return content;
}

std::string escape_lines(const std::string& text) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    out += escape(std::string_view(text).substr(at, end - at), 4096) + "\n";
    at = end + 1;
  }
  return out;
}

Json describe_process(pid_t pid, const EvidenceRequest& request) {
  Json process;
  process["pid"] = pid;
  const auto stat = read_stat(pid, request.proc);
  if (!stat) {
    process["gone"] = true;
    return process;
  }
  process["parent"] = stat->parent;
  process["state"] = escape(std::string(1, stat->state));
  process["comm"] = escape(stat->comm);
  process["start_time_ticks"] = stat->start_time_ticks;
  const pid_t through = pid == request.violation.pid() ? request.thread() : pid;
  const std::string exe = read_exe(through, request.proc);
  process["exe"] = escape(exe, kMaxPathBytes);
  if (const auto status = read_status(pid, request.proc)) {
    process["uid"] = status->uid;
    process["gid"] = status->gid;
    process["capabilities_effective"] = status->capabilities_effective;
    process["no_new_privileges"] = status->no_new_privileges;
    process["seccomp"] = status->seccomp;
  }
  return process;
}

Json offender_and_ancestors(const EvidenceRequest& request) {
  Json chain = Json::array();
  pid_t pid = request.violation.pid();
  for (int i = 0; i < kMaxAncestors && pid > 1; ++i) {
    chain.push_back(describe_process(pid, request));
    const auto stat = read_stat(pid, request.proc);
    pid = stat ? stat->parent : 0;
  }
  return chain;
}

Json processes_of(const EvidenceRequest& request) {
  Json list = Json::array();
  for (const pid_t pid : request.processes) {
    if (list.size() >= request.limits.max_processes) break;
    list.push_back(describe_process(pid, request));
  }
  return list;
}

void add_arguments(Json& processes, const EvidenceRequest& request) {
  for (auto& process : processes) {
    if (process.contains("gone")) continue;
    const pid_t pid = process["pid"].get<pid_t>();
    const pid_t through = pid == request.violation.pid() ? request.thread() : pid;
    const auto stat = read_stat(pid, request.proc);
    process["arguments"] =
        arguments_of(request.proc / std::to_string(through), read_exe(through, request.proc),
                     stat ? stat->comm : "", request.limits.full);
  }
}

Json environment_of(const EvidenceRequest& request) {
  const auto task = request.proc / std::to_string(request.thread());
  Json list = Json::array();
  for (const auto& variable : split_zeros(read_prefix(task / "environ", kEnvironmentBytes))) {
    list.push_back(
        escape(request.limits.full ? variable : redact_variable(variable), kMaxPathBytes));
  }
  return list;
}

Json descriptors_of(const EvidenceRequest& request, const std::string& sockets) {
  const auto directory = request.proc / std::to_string(request.thread()) / "fd";
  const auto connected = endpoints(sockets);
  Json list = Json::array();
  std::error_code error;
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (++count > kMaxDescriptors) break;
    std::error_code ignored;
    const std::string target = std::filesystem::read_symlink(entry.path(), ignored).string();
    Json one = {{"fd", entry.path().filename().string()},
                {"target", escape(target, kMaxPathBytes)}};
    if (target.rfind("socket:[", 0) == 0) {
      const auto at = connected.find(target.substr(8, target.size() - 9));
      if (at != connected.end()) one["socket"] = at->second;
    }
    list.push_back(std::move(one));
  }
  return list;
}

std::string sockets_of(const EvidenceRequest& request) {
  const auto task = request.proc / std::to_string(request.thread());
  std::string sockets;
  for (const char* kind : {"tcp", "tcp6", "udp", "udp6", "packet", "raw", "raw6", "unix"}) {
    const auto listing = read_prefix(task / "net" / kind, kSocketBytes);
    if (!listing.empty()) sockets += std::string("# ") + kind + "\n" + listing;
  }
  return sockets;
}

}  // namespace ward::shim::supervisor
