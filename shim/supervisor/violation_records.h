// SPDX-License-Identifier: Apache-2.0
// What is written down of a container's violations: how many there were, which of them gets a
// record of its own, and whose it is. What a flood folds comes out in summaries, by a timer or at
// the end. It neither decides nor answers. On the loop; nothing here waits.
#pragma once

#include <sys/types.h>

#include <array>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "lib/linux/process_info.h"
#include "shim/supervisor/charge.h"
#include "shim/supervisor/flood.h"
#include "shim/supervisor/session_host.h"
#include "ward/node/v1/types.pb.h"

namespace ward::shim::supervisor {

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

class ViolationRecords {
 public:
  struct Counts {
    std::uint64_t violations = 0;
    std::uint64_t continued = 0;  // calls that were let run, violations or not
  };

  // Both are the supervisor's, and outlive it.
  ViolationRecords(asio::io_context& loop, const Charge& charge,
                   const SupervisorCallbacks& callbacks);

  void count_violation();  // every one, before it is answered
  void count_continued() { ++counts_.continued; }
  [[nodiscard]] const Counts& counts() const { return counts_; }

  // A record lacks the times after the answer and the outcome; the caller adds them and reports
  // it. This one lacks the offender too.
  [[nodiscard]] node::v1::Violation begin(const Violated& violated) const;
  // With the offender. Nothing: it is folded into a later one.
  std::optional<node::v1::Violation> begin_if_wanted(const Violated& violated);
  // Of a call that the own filter refuses: one for each kind, with the offender. Nothing: it is
  // folded, and the caller calls tell_folded() once it is answered.
  std::optional<node::v1::Violation> begin_if_new_refusal(const Violated& violated);
  // Likewise of a call that the posture lets run.
  std::optional<node::v1::Violation> begin_if_new_tolerated(const Violated& violated);
  // People see what is folded: summaries when they are due, the counters within a second.
  void tell_folded();
  // Of what came without a notification. False: it is folded into a later record.
  bool wants_detail(const CallKey& call, const CallContext& context, std::int64_t now_ns);

  // The thread is parked in its call or already stopping: what /proc says of the number is about
  // it, unless it died.
  static void add_offender(const Violated& violated, node::v1::Violation& record);
  [[nodiscard]] node::v1::Violation with_identity(node::v1::Violation violation,
                                                  const std::string& exec_id) const;
  static const char* outcome_of(const Verdict& verdict);

  // Two tell of one end: the reaper, and the kernel by way of wardd. True for the first.
  bool is_news(const EndedProcess& process);

  // What is folded and due; with `all`, everything.
  void report_summaries(bool all);

 private:
  [[nodiscard]] node::v1::Violation begin_with_offender(const Violated& violated) const;
  void watch_summaries();
  void tell_counts_soon();

  const Charge& charge_;
  const SupervisorCallbacks& callbacks_;
  Counts counts_;
  DetailLimiter limiter_;
  FirstOfKind refusals_;
  FirstOfKind tolerated_;
  // Processes whose end was reported; the oldest goes first.
  std::array<ThreadIdentity, 256> told_{};
  std::size_t next_told_ = 0;
  asio::steady_timer counts_timer_;
  bool counts_pending_ = false;
  asio::steady_timer summary_timer_;
  std::int64_t summary_at_ns_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace ward::shim::supervisor
