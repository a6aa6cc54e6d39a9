// SPDX-License-Identifier: Apache-2.0
#include "cli/patience.h"

#include <grpcpp/client_context.h>

namespace ward::cli {

Patience::Patience(grpc::ClientContext& context, std::chrono::seconds longest_silence)
    : thread_([this, &context, longest_silence] { watch(context, longest_silence); }) {}

Patience::~Patience() {
  end();
  thread_.join();
}

void Patience::something_came() {
  const std::lock_guard lock(mutex_);
  came_ = true;
  changed_.notify_one();
}

void Patience::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_one();
}

bool Patience::is_over() const {
  const std::lock_guard lock(mutex_);
  return over_;
}

void Patience::watch(grpc::ClientContext& context, std::chrono::seconds longest_silence) {
  std::unique_lock lock(mutex_);
  while (!ended_) {
    came_ = false;
    if (changed_.wait_for(lock, longest_silence, [this] { return came_ || ended_; })) continue;
    over_ = ended_ = true;
    context.TryCancel();
  }
}

}  // namespace ward::cli
