// SPDX-License-Identifier: Apache-2.0
// Tells that something changed in some directories, however it changed: written in place, renamed
// over, a symlink swapped (as git checkouts and ConfigMaps do), a directory that appears, goes away
// or is replaced. Says nothing of what changed: the reader reads everything again. Core loop only.
#pragma once

#include <asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ward::enforcer {

class Watch {
 public:
  // `changed` runs when it has been quiet for a moment after a change, at the latest a second after
  // the first one, and every half minute in any case, for what inotify cannot see (network file
  // systems, links in the middle of a path). Where there is no inotify instance to be had, it looks
  // every two seconds, and asks for one each time.
  static std::unique_ptr<Watch> start(asio::io_context& core,
                                      std::vector<std::filesystem::path> directories,
                                      std::function<void()> changed);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Why changes are found late only, who uses inotify up, and what to set; for people.
  [[nodiscard]] std::optional<std::string> problem() const;

 private:
  struct State;
  explicit Watch(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace ward::enforcer
