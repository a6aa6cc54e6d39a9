// SPDX-License-Identifier: Apache-2.0
// What the node's runtime calls by itself, measured once per binary (by its hash) and kept in the
// database. The measuring happens on a thread of its own and takes about a second. The API shows
// it, with what an upgrade changed, and a filter for use without the shim allows it. Core loop
// only.
#pragma once

#include <asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "enforcer/database/writer.h"
#include "lib/base/result.h"

namespace ward::enforcer {

struct MeasuredRuntime {
  std::string sha256;
  bool no_new_privileges = false;
  std::set<int> create;
  std::set<int> exec;
  std::string version = {};  // empty: it does not say one
};

// Measures one binary; enforcer/recorder/calibration.h on a node. Runs on the thread, and gives up
// when `stop` is readable.
using Measure = std::function<Result<MeasuredRuntime>(const std::filesystem::path& runtime,
                                                      bool no_new_privileges, int stop)>;

// The binary that is there now.
struct RuntimeInUse {
  std::string name;     // of its file
  std::string version;  // empty: it does not say one
  std::string sha256;
  std::set<int> calls;  // of starts and of exec sessions, with noNewPrivileges and without
  // The one that was there before it, "runc 1.1.5", and what each calls that the other does not.
  // Of what was measured of both, and without what Go's scheduler calls at moments of its own.
  std::string since;
  std::set<int> gained, lost;
};

class Calibrations {
 public:
  Calibrations(asio::io_context& core, Writer& writer, std::filesystem::path database,
               Measure measure);
  ~Calibrations();  // ends a measurement in progress, and waits until it has cleared up
  Calibrations(const Calibrations&) = delete;
  Calibrations& operator=(const Calibrations&) = delete;

  // Looks at the binary, and measures it where its hash is new. `runtime`: a path, or empty for
  // runc from PATH.
  void check(const std::string& runtime);

  // Absent until the binary was looked at, and where nothing could be measured of it.
  [[nodiscard]] std::optional<RuntimeInUse> in_use() const;

  [[nodiscard]] std::vector<std::string> titles()
      const;  // "runc 1.1.5 sha256:1f0c... 24 calls at start, 20 at exec"
  [[nodiscard]] std::vector<std::string> problems() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ward::enforcer
