// SPDX-License-Identifier: Apache-2.0
// Start, Pause, Resume and Delete of one process must not overlap, and each spans several turns of
// the loop: this runs them one after the other. Kill and State do not wait here (a hanging pause
// must not make a container unkillable).
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>

namespace ward::shim::task {

class OperationQueue {
 public:
  // Dropped when the operation is over; the next one then begins.
  using Turn = std::shared_ptr<void>;
  using Operation = std::function<void(Turn)>;

  OperationQueue() : alive_(std::make_shared<OperationQueue*>(this)) {}
  OperationQueue(const OperationQueue&) = delete;
  OperationQueue& operator=(const OperationQueue&) = delete;

  void run(Operation operation) {
    waiting_.push_back(std::move(operation));
    if (!busy_) next();
  }

 private:
  void next() {
    busy_ = !waiting_.empty();
    if (!busy_) return;
    Operation operation = std::move(waiting_.front());
    waiting_.pop_front();
    // An operation may outlive the queue's owner; then nothing is left to continue with.
    operation(Turn(nullptr, [owner = std::weak_ptr<OperationQueue*>(alive_)](void*) {
      if (const auto queue = owner.lock()) (*queue)->next();
    }));
  }

  std::shared_ptr<OperationQueue*> alive_;
  std::deque<Operation> waiting_;
  bool busy_ = false;
};

}  // namespace ward::shim::task
