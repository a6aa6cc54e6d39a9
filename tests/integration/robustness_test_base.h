// SPDX-License-Identifier: Apache-2.0
// What the tests of bad days share: a node, containers that ctr starts, and what the shim may be
// short of. WARD_TEST_LONG=1 asks for the long forms.
#pragma once

#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/integration/node_test_base.h"
#include "tests/integration/remains.h"

namespace ward::test {

inline bool long_forms() {
  const char* wanted = std::getenv("WARD_TEST_LONG");
  return wanted != nullptr && *wanted == '1';
}

// As long as it lives the process can open so many more descriptors, and no others. The kernel's
// limit is on their numbers: those that are free below the highest one in use count.
class SpareDescriptors {
 public:
  SpareDescriptors(pid_t pid, int spare) : pid_(pid) {
    const std::string descriptors = "/proc/" + std::to_string(pid) + "/fd/";
    rlimit tight{};
    const auto is_open = [&] {
      return std::filesystem::is_symlink(descriptors + std::to_string(tight.rlim_cur));
    };
    for (; spare > 0 || is_open(); ++tight.rlim_cur) spare -= is_open() ? 0 : 1;
    EXPECT_EQ(::prlimit(pid_, RLIMIT_NOFILE, nullptr, &before_), 0);
    tight.rlim_max = before_.rlim_max;
    EXPECT_EQ(::prlimit(pid_, RLIMIT_NOFILE, &tight, nullptr), 0);
  }
  ~SpareDescriptors() { EXPECT_EQ(::prlimit(pid_, RLIMIT_NOFILE, &before_, nullptr), 0); }
  SpareDescriptors(const SpareDescriptors&) = delete;
  SpareDescriptors& operator=(const SpareDescriptors&) = delete;

 private:
  pid_t pid_;
  rlimit before_{};
};

class Robustness : public NodeTest {
 protected:
  static Output run_box(const std::string& id, const std::vector<std::string>& command,
                        const std::vector<std::string>& flags = {"--rm"}) {
    std::vector<std::string> arguments{"run", "--runtime", kWardRuntime};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    arguments.insert(arguments.end(), {kBoxImage, id});
    arguments.insert(arguments.end(), command.begin(), command.end());
    return node().ctr(arguments);
  }
  static std::string start_box(const std::string& prefix, const std::vector<std::string>& command,
                               std::vector<std::string> flags = {}) {
    std::string id = node().unique(prefix);
    flags.emplace_back("-d");
    const Output started = run_box(id, command, flags);
    EXPECT_EQ(started.status, 0) << started.err;
    return id;
  }
  static Output exec_in(const std::string& id, const std::string& session,
                        const std::vector<std::string>& command) {
    std::vector<std::string> arguments{"task", "exec", "--exec-id", session, id};
    arguments.insert(arguments.end(), command.begin(), command.end());
    return node().ctr(arguments);
  }
};

}  // namespace ward::test
