// SPDX-License-Identifier: Apache-2.0
// The containers that one shim serves: those of a pod, or a single one. Knows who is there; what
// happens to each is Container's business.
#pragma once

#include <asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "lib/base/result.h"
#include "shim/task/container.h"

namespace ward::shim::task {

class Sandbox {
 public:
  explicit Sandbox(Surroundings surroundings);

  // kAlreadyExists for an id that is there or on its way, kUnavailable after close().
  void create(ContainerSpec spec, Container::PidDone done);
  // kNotFound "container not created", also while its create is on the way.
  [[nodiscard]] Result<std::shared_ptr<Container>> find(const std::string& id) const;
  // Deletes an exec session or, where `exec_id` is empty, the container's init and with it the
  // container.
  void remove(const std::string& id, const std::string& exec_id,
              std::function<void(Result<Departed>)> done);
  [[nodiscard]] bool empty() const { return containers_.empty(); }
  [[nodiscard]] std::size_t size() const { return containers_.size(); }
  [[nodiscard]] bool was_used() const {
    return was_used_;
  }  // a container was made here, whatever became of it
  // The shim is leaving: a container that is made now would lose it at once.
  void close() { closed_ = true; }

  // After work that touched more code and heap than waiting does, and that a node repeats now and
  // then (numbers every ten seconds).
  void trim_when_quiet();

 private:
  Surroundings surroundings_;
  asio::steady_timer quiet_;
  std::map<std::string, std::shared_ptr<Container>> containers_;
  bool was_used_ = false;
  bool closed_ = false;
};

}  // namespace ward::shim::task
