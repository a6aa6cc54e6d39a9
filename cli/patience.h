// SPDX-License-Identifier: Apache-2.0
// Ends a streaming call in which nothing has come for too long: a deadline would be of the call as
// a whole, and a stream may rightly be long. Has a thread of its own; it is over when the object
// goes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace grpc {
class ClientContext;
}

namespace ward::cli {

class Patience {
 public:
  Patience(grpc::ClientContext& context, std::chrono::seconds longest_silence);
  ~Patience();
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

  void something_came();
  void end();                          // from now on it may be silent
  [[nodiscard]] bool is_over() const;  // the call was cancelled for its silence

 private:
  void watch(grpc::ClientContext& context, std::chrono::seconds longest_silence);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool came_ = false;
  bool ended_ = false;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace ward::cli
