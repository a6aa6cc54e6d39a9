// SPDX-License-Identifier: Apache-2.0
// What the integration tests share: one private node for each test suite, with the image `box`.
// Life cycle tests are parametrised over the runtime: what they demand of Ward, the stock shim must
// give as well, or the test is wrong.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/node.h"
#include "tests/support/node_remains.h"

namespace ward::test {

class NodeTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    node_ = std::make_unique<Node>();
    node_->start_containerd();
    node_->import_image("box");
  }
  static void TearDownTestSuite() {
    node_->stop();
    node_.reset();
  }
  static Node& node() { return *node_; }

  // wardd measures the runtime with containers of its own; what remains of others is not to be
  // theirs.
  static void await_calibration() {
    EXPECT_TRUE(await([] {
      const std::string said = node().ward({"status", "-o", "json"}).out;
      return said.find("noNewPrivileges") != std::string::npos ||
             said.find("calibration") != std::string::npos;
    }));
  }

 private:
  static inline std::unique_ptr<Node> node_;
};

// A test per runtime; the parameter is the runtime's name.
class RuntimeTest : public NodeTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    if (is_ward()) {
      ASSERT_TRUE(std::filesystem::exists(shim_binary())) << "build everything first";
    }
  }
  [[nodiscard]] static bool is_ward() { return GetParam() == std::string(kWardRuntime); }

  static std::string runtime() { return GetParam(); }

  // "ctr run [flags] --runtime R IMAGE ID COMMAND..."
  static std::vector<std::string> run_arguments(const std::string& id,
                                                const std::vector<std::string>& flags,
                                                const std::vector<std::string>& command) {
    std::vector<std::string> arguments{"run", "--runtime", runtime()};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    arguments.insert(arguments.end(), {kBoxImage, id});
    arguments.insert(arguments.end(), command.begin(), command.end());
    return arguments;
  }
  static Output run_box(const std::string& id, const std::vector<std::string>& flags,
                        const std::vector<std::string>& command, std::string_view input = {}) {
    return node().ctr(run_arguments(id, flags, command), input);
  }
  // Starts a container in the background and waits until it runs.
  static std::string start_box(const std::string& prefix, const std::vector<std::string>& command) {
    std::string id = node().unique(prefix);
    const Output started = run_box(id, {"-d"}, command);
    EXPECT_EQ(started.status, 0) << started.err;
    EXPECT_EQ(node().task_status(id), "RUNNING");
    return id;
  }
};

// What is demanded of Ward, the stock shim must give as well, or the test is wrong: asked for with
// WARD_TEST_STOCK=1. Not part of every run: a race in the stock shim is no failure of this tree.
inline std::vector<const char*> runtimes() {
  const char* stock = std::getenv("WARD_TEST_STOCK");
  if (stock != nullptr && *stock == '1') return {kWardRuntime, kRuncRuntime};
  return {kWardRuntime};
}

inline std::string runtime_name(const testing::TestParamInfo<const char*>& info) {
  return info.param == std::string(kWardRuntime) ? "ward" : "runc";
}

}  // namespace ward::test
