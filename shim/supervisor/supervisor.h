// SPDX-License-Identifier: Apache-2.0
// One supervised container: its listeners, what people ask for, and what is seen without a
// notification. What is done when a call breaks the profile is in Remediation, what is written
// down of it in ViolationRecords. Lives on the loop; nothing here waits.
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "lib/base/result.h"
#include "lib/linux/seccomp_listener.h"
#include "shim/supervisor/charge.h"
#include "shim/supervisor/remediation.h"
#include "shim/supervisor/session_host.h"
#include "shim/supervisor/violation_records.h"
#include "ward/node/v1/types.pb.h"

namespace ward::shim::supervisor {

class Containment;
class Session;

class Supervisor final : private SessionHost {
 public:
  Supervisor(asio::io_context& loop, Charge charge, SupervisorCallbacks callbacks);
  ~Supervisor() override;
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
  // Mode enforce has cut it, and the kernel denied it for the first time. No violation: many
  // programs ask and do without.
  void missed_capability(const std::string& capability, const EndedProcess& process);
  // A set-user-ID program, or one with capabilities of its file: mode enforce sets no_new_privs,
  // this one began without.
  void gained_privileges(const EndedProcess& process);
  // Mode enforce starts no exec session here; `by` says so. In supervise this one runs.
  void session_refused(const std::string& exec_id, const std::string& by);
  // A session of this name is about to be started, maybe not the first one.
  void session_begins(const std::string& exec_id);
  // What it runs was changed after the container began. Before or after its listener is adopted.
  void session_runs_newer(const std::string& exec_id, const std::string& program);
  [[nodiscard]] bool holds(pid_t pid) const;  // in its cgroup; a zombie too

  Result<void> quarantine(const std::string& reason);  // by a person
  Result<void> release();                              // thaw, network back, go on enforcing
  Result<void> kill(std::function<void(Result<void>)> done = {});
  // It is killed, or was, while it was in quarantine, and not by a person through wardd, who is
  // journalled there. In no quarantine nothing is told.
  void ends_in_quarantine(const std::string& why);
  void set_mode(Mode mode);
  void set_law(NewLaw law);
  void calm(Action then, std::int64_t until_wall_ns);  // ActionSet::calmed_to

  [[nodiscard]] bool is_quarantined() const;               // also while it is being frozen
  [[nodiscard]] std::int64_t quarantined_wall_ns() const;  // when the last quarantine began
  [[nodiscard]] Phase phase() const;                       // of the workload
  [[nodiscard]] Mode mode() const;
  [[nodiscard]] std::uint64_t violations() const;
  [[nodiscard]] std::uint64_t continued() const;
  [[nodiscard]] const Remediation::Measure& last_measure() const { return remediation_.last(); }

  // Reports what is still folded; called before the container is forgotten.
  void flush();

 private:
  // Number of the workload's session; those of exec sessions follow.
  static constexpr std::uint64_t kWorkloadSession = 0;

  [[nodiscard]] bool asks_who_calls(int nr) const override;
  [[nodiscard]] Verdict judge(Question question) const override;
  std::int64_t violated(const Violated& violated) override;
  void was_let_run() override;
  void phase_changed() override;
  void session_ended(std::uint64_t number) override;

  void add_circumstances(Question& question) const;
  void died(const EndedProcess& process, const Verdict& verdict);
  void tell_of_session(node::v1::Violation record, const std::string& exec_id, OneAMinute& pace);
  void tell_uncut(node::v1::Violation record, const EndedProcess& process);
  void tell_of(node::v1::Violation record, const EndedProcess& process);

  asio::io_context& loop_;
  Charge charge_;
  SupervisorCallbacks callbacks_;
  std::unique_ptr<Containment> containment_;
  ViolationRecords records_;
  Remediation remediation_;
  std::map<std::uint64_t, std::unique_ptr<Session>> sessions_;
  std::uint64_t last_session_ = kWorkloadSession;
  bool end_was_asked_ = false;  // by containerd or a person
  OneAMinute refused_sessions_;
  OneAMinute newer_programs_;
  std::map<std::string, std::string> awaiting_session_;  // newer programs, by exec id
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace ward::shim::supervisor
