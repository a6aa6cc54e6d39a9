// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/evidence_bundle.h"

#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/escape.h"
#include "lib/base/file.h"
#include "lib/base/printable.h"
#include "lib/base/unique_fd.h"
#include "lib/linux/process_info.h"
#include "shim/supervisor/redaction.h"

namespace ward::shim::supervisor {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kCommandLineBytes = 16U << 10U;
constexpr std::size_t kEnvironmentBytes = 64U << 10U;
constexpr std::size_t kListingBytes = 512U << 10U;
constexpr std::size_t kMaxStrings = 512;
constexpr std::size_t kMaxStringBytes = 1024;
constexpr int kMaxDescriptors = 256;
constexpr int kMaxAncestors = 32;

// What is there up to the cap; nothing where it cannot be read.
std::string read_prefix(const std::filesystem::path& path, std::size_t max_bytes,
                        bool* truncated = nullptr) {
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
    list.push_back(escape(kept, kMaxStringBytes));
  }
  return list;
}

Json environment_of(const std::filesystem::path& task, bool full) {
  Json list = Json::array();
  for (const auto& variable : split_zeros(read_prefix(task / "environ", kEnvironmentBytes))) {
    list.push_back(escape(full ? variable : redact_variable(variable), kMaxStringBytes));
  }
  return list;
}

Json describe(pid_t pid, const EvidenceRequest& request) {
  Json process;
  process["pid"] = pid;
  const auto task = request.proc / std::to_string(pid);
  const auto stat = read_stat(pid, request.proc);
  if (!stat) {
    process["gone"] = true;
    return process;
  }
  process["parent"] = stat->parent;
  process["state"] = escape(std::string(1, stat->state));
  process["comm"] = escape(stat->comm);
  process["start_time_ticks"] = stat->start_time_ticks;
  const std::string exe = read_exe(pid, request.proc);
  process["exe"] = escape(exe, kMaxStringBytes);
  if (const auto status = read_status(pid, request.proc)) {
    process["uid"] = status->uid;
    process["gid"] = status->gid;
    process["capabilities_effective"] = status->capabilities_effective;
    process["no_new_privileges"] = status->no_new_privileges;
    process["seccomp"] = status->seccomp;
  }
  process["arguments"] = arguments_of(task, exe, stat->comm, request.limits.full);
  return process;
}

Json descriptors_of(const std::filesystem::path& task) {
  Json list = Json::array();
  std::error_code error;
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(task / "fd", error)) {
    if (++count > kMaxDescriptors) break;
    std::error_code ignored;
    const auto target = std::filesystem::read_symlink(entry.path(), ignored);
    list.push_back({{"fd", entry.path().filename().string()},
                    {"target", escape(target.string(), kMaxStringBytes)}});
  }
  return list;
}

Json describe_violation(const node::v1::Violation& v) {
  Json out;
  out["event_id"] = v.event_id();
  out["wall_ns"] = v.wall_ns();
  out["monotonic_ns"] = v.monotonic_ns();
  out["boot_id"] = v.boot_id();
  out["containerd_namespace"] = escape(v.identity().containerd_namespace());
  out["container_id"] = escape(v.identity().container_id());
  out["pod"] = escape(v.identity().pod());
  out["kubernetes_namespace"] = escape(v.identity().kubernetes_namespace());
  out["image"] = escape(v.identity().image(), kMaxStringBytes);
  out["exec_id"] = escape(v.exec_id());
  out["profile"] = escape(v.profile_name());
  out["profile_digest"] = v.profile_digest();
  out["arch"] = v.arch();
  out["syscall_nr"] = v.syscall_nr();
  out["syscall"] = v.syscall();
  out["args"] = Json::array();
  for (const auto arg : v.args()) out["args"].push_back(arg);
  out["args_text"] = Json::array();
  for (const auto& text : v.args_text()) out["args_text"].push_back(text);
  out["pid"] = v.pid();
  out["tid"] = v.tid();
  out["comm"] = v.comm();
  out["exe"] = v.exe();
  out["reason"] = printable(v.reason());
  out["outcome"] = printable(v.outcome());
  out["answered_ns"] = v.answered_ns();
  out["contained_ns"] = v.contained_ns();
  return out;
}

// Files of one bundle, within its limits.
class Bundle {
 public:
  explicit Bundle(const EvidenceRequest& request) : request_(request) {}

  Result<void> add(const std::string& name, const std::string& content) {
    // The manifest always has a place.
    if (files_ + 1 >= std::max<std::size_t>(request_.limits.max_files, 2)) return {};
    if (bytes_ + content.size() > request_.limits.max_bytes) return {};
    if (auto written =
            write_file_atomically(request_.directory / name, content, 0600, Durability::kNone);
        !written) {
      return written;
    }
    ++files_;
    bytes_ += content.size();
    manifest_ += sha256_hex(content) + "  " + name + "\n";
    return {};
  }

  Result<void> seal() {
    return write_file_atomically(request_.directory / "SHA256SUMS", manifest_);
  }

 private:
  const EvidenceRequest& request_;
  std::size_t files_ = 0;
  std::size_t bytes_ = 0;
  std::string manifest_;
};

Json offender_and_ancestors(const EvidenceRequest& request) {
  Json chain = Json::array();
  pid_t pid = request.violation.pid();
  for (int i = 0; i < kMaxAncestors && pid > 1; ++i) {
    chain.push_back(describe(pid, request));
    const auto stat = read_stat(pid, request.proc);
    pid = stat ? stat->parent : 0;
  }
  return chain;
}

// Listings of the kernel hold container-controlled names (mount points, unix socket paths): lines
// stay, bytes are escaped.
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

}  // namespace

Result<void> write_evidence(const EvidenceRequest& request) {
  const std::int64_t began_ns = monotonic_ns();
  const auto task = request.proc / std::to_string(request.violation.pid());
  Json document;
  document["format"] = 1;
  document["violation"] = describe_violation(request.violation);
  document["cgroup"] = escape(request.cgroup, kMaxStringBytes);
  document["values_redacted"] = !request.limits.full;
  document["offender_and_ancestors"] = offender_and_ancestors(request);
  document["offender_environment"] = environment_of(task, request.limits.full);
  document["offender_descriptors"] = descriptors_of(task);
  document["offender_cgroups"] = escape_lines(read_prefix(task / "cgroup", 8192));
  document["processes"] = Json::array();
  for (const pid_t pid : request.processes) {
    if (document["processes"].size() >= request.limits.max_processes) break;
    document["processes"].push_back(describe(pid, request));
  }
  document["processes_in_all"] = request.processes.size();
  document["took_ns"] = monotonic_ns() - began_ns;

  Bundle bundle(request);
  if (auto added = bundle.add("evidence.json", document.dump(2) + "\n"); !added) return added;
  if (auto added =
          bundle.add("mounts.txt", escape_lines(read_prefix(task / "mountinfo", kListingBytes)));
      !added) {
    return added;
  }
  std::string sockets;
  for (const char* kind : {"tcp", "tcp6", "udp", "udp6", "unix", "packet", "raw", "raw6"}) {
    const auto listing = read_prefix(task / "net" / kind, kListingBytes / 4);
    if (!listing.empty()) sockets += std::string("# ") + kind + "\n" + escape_lines(listing);
  }
  if (auto added = bundle.add("sockets.txt", sockets); !added) return added;
  return bundle.seal();
}

}  // namespace ward::shim::supervisor
