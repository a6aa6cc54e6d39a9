// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/client_context.h>

#include <csignal>
#include <memory>
#include <set>

#include "cli/app.h"
#include "cli/discovery_view.h"
#include "cli/options.h"
#include "cli/stop_signals.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"
#include "lib/base/utf8.h"

namespace ward::cli {
namespace {

// The kernel counts and tells nobody, so somebody has to look.
constexpr std::chrono::milliseconds kBetweenLooks{1000};

// Which workloads are looked at: the one that was named, or whatever is being recorded.
class Watch {
 public:
  Watch(Session& session, std::string workload)
      : session_(session),
        workload_(std::move(workload)),
        view_(session, DiscoveryView::To::kOutput, false) {}

  int run() {
    const auto signals = StopSignals::block();
    if (!signals) return session_.fail(signals.error());
    for (;;) {
      if (const grpc::Status status = look(); !status.ok()) {
        const bool away = status.error_code() == grpc::StatusCode::UNAVAILABLE;
        if (!away || !looked_) return session_.fail("learn watch", status);
        session_.warn("learn watch: wardd went away; it goes on when it is back");
        session_.connect_again();
      }
      looked_ = true;
      view_.show_state("");
      if (auto written = view_.flush(); !written) return session_.fail(written.error());
      const auto signal = signals->wait(kBetweenLooks);
      if (signal == SIGINT || signal == SIGTERM) break;
    }
    view_.conclude();
    return kExitOk;
  }

 private:
  grpc::Status look() {
    if (!workload_.empty()) return view_.look(workload_);
    grpc::ClientContext context;
    context.set_deadline(deadline());
    ward::v1::ListRecordingsResponse all;
    if (auto status = session_.api().ListRecordings(&context, {}, &all); !status.ok())
      return status;
    for (const auto& recording : all.recordings())
      if (recording.active_runs() > 0) watched_.insert(recording.workload());
    if (watched_.empty() && !looked_ && !session_.json)
      session_.say("nothing is being recorded yet: `ward record`, or a policy of mode learn");
    for (const std::string& workload : watched_) {
      auto status = view_.look(workload);
      // Forgotten, or not known yet to a wardd that has just started.
      if (!status.ok() && status.error_code() != grpc::StatusCode::NOT_FOUND) return status;
    }
    return grpc::Status::OK;
  }

  Session& session_;
  const std::string workload_;
  DiscoveryView view_;
  std::set<std::string> watched_;
  bool looked_ = false;
};

}  // namespace

void add_learn_watch(CLI::App& learn, Session& session, int& exit_code) {
  auto* verb =
      add_verb(learn, "watch",
               "What is new in a recording, as it comes, until Ctrl-C; json: an object per line");
  const auto workload = std::make_shared<std::string>();
  verb->footer(examples({"ward learn watch web", "ward learn watch", "ward learn watch -o json"}));
  add_value(*verb, "workload", *workload,
            "a name from `ward learn list`; all that is being recorded without")
      ->type_name(kWorkloadValue);
  verb->callback([&session, &exit_code, workload] {
    exit_code = is_utf8(*workload)
                    ? Watch(session, *workload).run()
                    : session.refuse("learn watch: '" + escape(*workload, 80) + "' is not UTF-8",
                                     kExitUsage);
  });
}

}  // namespace ward::cli
