// SPDX-License-Identifier: Apache-2.0
// Carries out a verdict on one container: lets the call run, denies it, or contains the container,
// and answers in every case. The order of a quarantine is fixed (K19): count, cut the network,
// request the freeze, answer, wait for frozen, evidence, report. That of a kill: count, request the
// freeze, answer, wait for frozen, read what goes with the processes, kill, evidence, report; for
// no longer than kHoldAtMost, and without a freeze the kill comes at once. It decides nothing; what
// people ask for begins in Supervisor. Lives on the loop; nothing here waits.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/linux/seccomp_listener.h"
#include "shim/supervisor/charge.h"
#include "shim/supervisor/evidence.h"
#include "shim/supervisor/flood.h"
#include "shim/supervisor/session_host.h"
#include "shim/supervisor/violation_records.h"
#include "ward/node/v1/types.pb.h"

namespace ward::shim::supervisor {

class Containment;

class Remediation {
 public:
  // From the request of the freeze to the kill.
  static constexpr std::chrono::milliseconds kHoldAtMost{50};

  struct Measure {
    std::string note;  // "quarantined: unshare is not in profile web"; empty after a release
    std::int64_t quarantined_wall_ns = 0;  // when the last quarantine began
    std::string killed_for = {};           // without a violation: "its time in quarantine is over"
    std::int64_t killed_wall_ns = 0;
  };

  // All are the supervisor's, and outlive it. `containment` is empty until the container's cgroups
  // are known.
  Remediation(asio::io_context& loop, const Charge& charge, const SupervisorCallbacks& callbacks,
              const std::unique_ptr<Containment>& containment, ViolationRecords& records);

  // Of a violation that is counted. Returns the pause before the next notification is fetched.
  std::int64_t carry_out(const Violated& violated);
  // The process is dead already, and nobody waits for an answer; this is for the others. Without a
  // record nothing is reported.
  void contain(std::optional<node::v1::Violation> record, const Verdict& verdict,
               const std::string& why);
  // A person has begun a quarantine, or ended one.
  void begun_by_request(const std::string& reason);
  void released();
  // It ends, or has ended, and no record could tell of it: `why` is for people.
  void killed_without_a_violation(const std::string& why);
  // `done` as of Containment::kill; where there is no cgroup it comes at once, with an error.
  Result<void> start_kill(std::function<void(Result<std::int64_t>)> done);

  // Denials of the workload that count towards an escalation.
  [[nodiscard]] std::uint32_t recent_denials() const;
  void add_denial();

  [[nodiscard]] const Measure& last() const { return last_; }

  // The container ends: what waits for a completion is reported as it is.
  void report_unfinished();

 private:
  std::int64_t let_run(const Violated& violated);
  void deny(const Violated& violated);
  void refuse(const Violated& violated);
  void tolerate(const Violated& violated);
  void quarantine_for(const Violated& violated);
  void kill_for(const Violated& violated, node::v1::Violation record, const std::string& outcome);
  void kill_now(std::int64_t received_ns);
  // Between a verdict and its kill. begin: whether the freeze is requested, else kill at once.
  [[nodiscard]] bool begin_hold();
  void hold(std::int64_t received_ns);
  void held(const Result<std::int64_t>& at, std::int64_t received_ns);
  void end_hold(std::int64_t received_ns);
  // Was the answer delivered? Logs where it could not be given.
  bool answered(const Violated& violated, const Result<Delivery>& delivery,
                std::optional<node::v1::Violation>& record) const;
  [[nodiscard]] bool is_forgiven(const Violated& violated) const;

  void await_frozen(std::optional<node::v1::Violation> record, std::int64_t received_ns);
  void frozen(Result<std::int64_t> at, std::int64_t received_ns);
  [[nodiscard]] std::function<void(Result<std::int64_t>)> when_dead(std::int64_t received_ns);
  void killed(Result<std::int64_t> at, std::int64_t received_ns);
  void report_contained();
  void begin_evidence(node::v1::Violation& violation);
  std::shared_ptr<Collection> begin_collection(const node::v1::Violation& violation,
                                               std::function<void()> captured);
  void begin_timeline(std::int64_t received_ns);
  void note(const std::string& what, std::int64_t at_ns);
  void watch_ttl();

  [[nodiscard]] const std::string& id() const { return charge_.identity.container_id(); }

  asio::io_context& loop_;
  const Charge& charge_;
  const SupervisorCallbacks& callbacks_;
  const std::unique_ptr<Containment>& containment_;
  ViolationRecords& records_;
  TokenBucket let_run_pace_;
  DenialWindow denials_;
  std::optional<node::v1::Violation> pending_;  // contained, not yet reported
  bool holding_ = false;                        // pending_ is killed when its evidence is read
  std::shared_ptr<Collection> collection_;      // of pending_, once it is begun
  std::vector<TimelineEntry> timeline_;         // of pending_
  CallKey last_quarantine_;
  std::int64_t forgive_until_ns_ = 0;
  Measure last_;
  asio::steady_timer ttl_timer_;
  asio::steady_timer hold_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace ward::shim::supervisor
