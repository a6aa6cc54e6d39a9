// SPDX-License-Identifier: Apache-2.0
// Growing recordings on a terminal, or in a log: asks wardd, prints what is new as it comes, and on
// a terminal keeps one line below it that says how it stands. Used by `learn watch` and `record`.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "cli/present/discovery.h"
#include "cli/session.h"

namespace ward::cli {

class DiscoveryView {
 public:
  enum class To { kOutput, kStandardError };
  // `all_is_new`: what a recording has at the first look is new as well.
  DiscoveryView(Session& session, To to, bool all_is_new)
      : session_(session), to_(to), all_is_new_(all_is_new) {}

  // One look at a recording. An error is the caller's; kNotFound: nothing was recorded.
  grpc::Status look(const std::string& workload);
  // The line below, with `left` at its front ("57 s left"); nothing where this is no terminal.
  void show_state(const std::string& left);
  void clear_state();
  void conclude();  // the last state of each, for good
  [[nodiscard]] Result<void> flush();

 private:
  void print(const std::string& text);
  void print_json(const std::string& workload, const std::vector<NewCall>& fresh);
  [[nodiscard]] double now_s() const;
  [[nodiscard]] const Style& style() const {
    return to_ == To::kOutput ? session_.out : session_.err;
  }

  Session& session_;
  const To to_;
  const bool all_is_new_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::map<std::string, Discovery> recordings_;
  bool state_shown_ = false;
};

}  // namespace ward::cli
