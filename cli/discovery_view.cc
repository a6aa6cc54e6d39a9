// SPDX-License-Identifier: Apache-2.0
#include "cli/discovery_view.h"

#include <grpcpp/client_context.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include "cli/present/json_text.h"
#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "lib/base/rfc3339.h"

namespace ward::cli {

double DiscoveryView::now_s() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

void DiscoveryView::print(const std::string& text) {
  if (text.empty()) return;
  if (to_ == To::kOutput) return session_.print(text);
  std::fputs(text.c_str(), stderr);
}

grpc::Status DiscoveryView::look(const std::string& workload) {
  grpc::ClientContext context;
  context.set_deadline(deadline());
  ward::v1::GetRecordingRequest request;
  request.set_workload(workload);
  ward::v1::Recording recording;
  grpc::Status answered = session_.api().GetRecording(&context, request, &recording);
  if (!answered.ok()) return answered;
  const auto [found, first] = recordings_.try_emplace(workload);
  const std::vector<NewCall> fresh = found->second.look(recording, now_s());
  if (session_.json) {
    if (to_ == To::kOutput && (first || !fresh.empty())) print_json(workload, fresh);
    return answered;
  }
  if (first) {
    clear_state();
    print(style().bold(escape(workload)) + ": " +
          (all_is_new_ ? "recording" : found->second.summary(now_s())) + "\n");
  }
  if (fresh.empty() || (first && !all_is_new_)) return answered;
  clear_state();
  print((recordings_.size() > 1 ? escape(workload) + "\n" : "") +
        new_calls_text(fresh, now_s(), style()));
  return answered;
}

void DiscoveryView::print_json(const std::string& workload, const std::vector<NewCall>& fresh) {
  const Discovery& known = recordings_.at(workload);
  nlohmann::ordered_json calls = nlohmann::ordered_json::array();
  for (const NewCall& call : fresh) {
    calls.push_back({{"name", call.name},
                     {"by", call.by},
                     {"count", std::to_string(call.count)},
                     {"dangerous", call.dangerous}});
  }
  print(json_text({{"schema", schema("Discovery")},
                   {"time", format_rfc3339(wall_ns())},
                   {"workload", workload},
                   {"runs", known.runs()},
                   {"syscalls", known.calls()},
                   {"new", std::move(calls)},
                   {"never_seen", known.never_seen()}},
                  JsonForm::kLine));
}

void DiscoveryView::show_state(const std::string& left) {
  const int fd = to_ == To::kOutput ? STDOUT_FILENO : STDERR_FILENO;
  if (session_.json || recordings_.empty() || ::isatty(fd) != 1) return;
  std::string text = left;
  for (const auto& [workload, known] : recordings_) {
    text += (text.empty() ? "" : " | ") +
            (recordings_.size() > 1 ? escape(workload) + ": " : std::string()) +
            known.summary(now_s());
  }
  // One that wraps could not be taken back.
  winsize terminal{};
  const bool known_width = ::ioctl(fd, TIOCGWINSZ, &terminal) == 0 && terminal.ws_col > 1;
  const std::size_t columns = known_width ? terminal.ws_col - 1U : 79U;
  print("\r" + style().dim(cut_to_columns(text, columns)) + "\033[K");
  state_shown_ = true;
}

void DiscoveryView::clear_state() {
  if (state_shown_) print("\r\033[K");
  state_shown_ = false;
}

void DiscoveryView::conclude() {
  clear_state();
  if (session_.json) return;
  for (const auto& [workload, known] : recordings_)
    print(style().bold(escape(workload)) + ": " + known.summary(now_s()) + "\n");
}

Result<void> DiscoveryView::flush() {
  if (to_ == To::kOutput) return session_.output.flush();
  return {};
}

}  // namespace ward::cli
