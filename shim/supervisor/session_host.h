// SPDX-License-Identifier: Apache-2.0
// What a session asks of its container's supervisor, and tells it. On the loop.
#pragma once

#include <cstdint>
#include <string>

#include "lib/linux/seccomp_listener.h"
#include "shim/supervisor/verdict.h"

namespace ward::shim::supervisor {

// A violation on its way from the verdict to what is done about it.
struct Violated {
  SeccompListener& listener;
  const Notification& call;
  const Verdict& verdict;
  Phase phase;
  Origin origin;
  const std::string& exec_id;
  std::int64_t received_ns;
  const std::string& newer_program;  // of an exec session; empty: none that is known
};

class SessionHost {
 public:
  virtual ~SessionHost() = default;

  // Whether Question::caller matters for a call of this number: it costs a look into /proc.
  [[nodiscard]] virtual bool asks_who_calls(int nr) const = 0;
  // The session says who asks for what, and when; mode, contained and recent_denials are the
  // host's to add.
  [[nodiscard]] virtual Verdict judge(Question question) const = 0;
  // Must answer. Returns the pause before the next notification is fetched.
  virtual std::int64_t violated(const Violated& violated) = 0;
  virtual void was_let_run() = 0;  // a call that is no violation
  virtual void phase_changed() = 0;
  // Nobody is left under the filter. The session lives until this has returned.
  virtual void session_ended(std::uint64_t number) = 0;
};

}  // namespace ward::shim::supervisor
