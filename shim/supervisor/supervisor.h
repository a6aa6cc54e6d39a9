// SPDX-License-Identifier: Apache-2.0
// One supervised container: its listeners, and what is done when a call breaks the profile. The
// order of a quarantine is fixed (K19): count, cut the network, request the freeze, capture,
// answer, wait for frozen, evidence, report. Lives on the loop; nothing here waits.
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "profiles/filter/seccomp_intersect.h"
#include "shim/supervisor/evidence_bundle.h"
#include "shim/supervisor/listener_socket.h"
#include "shim/supervisor/verdict.h"
#include "ward/node/v1/types.pb.h"

namespace ward::shim::supervisor {

// What admission decided, as the supervisor needs it.
struct Charge {
  node::v1::Identity identity;
  Mode mode = Mode::kEnforce;
  std::string profile_name;
  std::string profile_digest;
  filter::CallTable calls;
  filter::OwnFilter own;
  filter::CallTable danger;       // what it names is never let run unless `calls` allows it
  filter::CallTable refused;      // what of it the own filter refuses is no violation
  std::uint32_t knows_up_to = 0;  // Law::knows_up_to
  ActionSet actions;
  std::chrono::nanoseconds boundary_quiet{0};
  std::chrono::nanoseconds boundary_latest{0};
  std::chrono::nanoseconds quarantine_ttl{0};  // then killed; 0: held until released
  std::filesystem::path evidence_root;
  EvidenceLimits evidence_limits;
};

// A process that is not there any more, or was not looked at while it was.
struct EndedProcess {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  // with the pid it names the process for ever
  Origin origin = Origin::kWorkload;
  std::string comm = {};  // UTF-8, and data: escaped where it is shown
  std::string abi =
      {};       // of the call it ended in, "i386" or "x32"; empty: not known, or the native one
  int nr = -1;  // in that ABI
};

class Supervisor {
 public:
  struct Callbacks {
    std::function<void()> count;  // every violation, before it is answered
    std::function<void(node::v1::Violation)> report;
    std::function<void(bool frozen)> frozen_changed;
    std::function<void()> changed;   // phase, counters that people watch, quarantine
    std::function<void()> kill_all;  // where there is no cgroup of its own to kill
  };

  Supervisor(asio::io_context& loop, Charge charge, Callbacks callbacks);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // A process of the container: its cgroups are what a quarantine freezes. adopt() does this by
  // itself.
  Result<void> find_cgroups(pid_t pid);
  // A proved listener. exec_id empty: the container's own.
  void adopt(const std::string& exec_id, pid_t pid, SeccompListener listener);
  // Listeners whose filter still binds a process. The first process of an exec session may end
  // before its children do, and its exec id may be used again: a session lives until the kernel
  // says that nobody is left (POLLHUP).
  [[nodiscard]] std::size_t sessions() const;
  // The first process of the container or of a session ended by SIGSYS, and was reaped.
  void foreign_abi(const std::string& exec_id, const EndedProcess& process);
  // Another one did. Only who knows in which call (the kernel, by way of wardd) can have something
  // done about it.
  void process_died(const EndedProcess& process);
  // Mode enforce would have cut it; the container began in supervise and has it.
  void used_capability(const std::string& capability, const EndedProcess& process);
  // A set-user-ID program, or one with capabilities of its file: mode enforce sets no_new_privs,
  // this one began without.
  void gained_privileges(const EndedProcess& process);
  [[nodiscard]] bool holds(pid_t pid) const;  // in its cgroup; a zombie too

  Result<void> quarantine(const std::string& reason);  // by a person
  Result<void> release();                              // thaw, network back, go on enforcing
  Result<void> kill(std::function<void(Result<void>)> done = {});
  void set_mode(Mode mode);
  // A wider version of the profile for the running container; what the installed filter never asks
  // about stays allowed.
  void set_law(filter::CallTable calls, filter::CallTable danger, std::string profile_digest);

  [[nodiscard]] bool is_quarantined() const;               // also while it is being frozen
  [[nodiscard]] std::int64_t quarantined_wall_ns() const;  // when the last quarantine began
  [[nodiscard]] Phase phase() const;                       // of the workload
  [[nodiscard]] Mode mode() const;
  [[nodiscard]] std::uint64_t violations() const;
  [[nodiscard]] std::uint64_t continued() const;
  [[nodiscard]] std::string note() const;  // "quarantined: unshare is not in profile web"

  // Reports what is still folded; called before the container is forgotten.
  void flush();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ward::shim::supervisor
